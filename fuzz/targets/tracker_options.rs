//! KREF_OPTIONS as the judge reads them, and the patterns of `filter=`: any text, against a parser and a matcher that
//! are written in another way.
#![no_main]

use judge::fuzzing::{Options, fits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let found = Options::parse(&text);
    let expected = model(&text);
    match (&found, &expected) {
        (Ok(found), Some(expected)) => {
            assert_eq!(found.depth as u64, expected.number("depth").unwrap_or(16));
            assert_eq!(found.filter.as_deref(), expected.last("filter"));
            let format = expected.last("format").unwrap_or("text");
            assert_eq!(format!("{:?}", found.format).to_lowercase(), format);
            let usual = ["html", "sarif"].iter().find(|&&name| name == format);
            let usual = usual.map(|name| format!("kref-track.%p.{name}"));
            let log_path = expected.last("log_path").or(usual.as_deref());
            assert_eq!(found.log_path.as_deref(), log_path);
            assert_eq!(found.debug_dir.as_deref(), expected.last("debug_dir"));
            let watermark = found.watermark.map(u64::from);
            assert_eq!(watermark, expected.number("watermark"));
            assert_eq!(found.exitcode as u64, expected.number("exitcode").unwrap_or(0));
            assert_eq!(found.object, expected.number("object"));
            assert_eq!(found.lossy, expected.number("lossy") == Some(1));
            assert_eq!(found.live, expected.number("live") == Some(1));
            assert_eq!(u64::from(found.stuck), expected.number("stuck").unwrap_or(0));
            assert_eq!(found.trace_only, expected.last("track") == Some("file"));
            let default = found.trace_only.then_some("kref-track.%p.trace");
            assert_eq!(found.trace.as_deref(), expected.last("trace").or(default));
            assert_eq!(
                found.max_memory as u64 >> 20,
                expected.number("max_memory").unwrap_or(1024)
            );
            if let Some(seed) = expected.number("seed") {
                assert_eq!(found.chaos, Some(seed));
            } else {
                assert_eq!(found.chaos.is_some(), expected.number("chaos") == Some(1));
            }
        }
        (Err(mistake), None) => assert!(!mistake.is_empty()),
        _ => panic!("{found:?}"),
    }
    if let Some((pattern, name)) = text.split_once('\n')
        && pattern.len() <= 12
        && name.len() <= 24
    {
        assert_eq!(fits(pattern, name), matches(pattern.as_bytes(), name.as_bytes()), "{text:?}");
    }
});

/// The keys and values, if all are right.
struct Model<'a>(Vec<(&'a str, &'a str)>);

impl Model<'_> {
    fn last(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|option| option.0 == key).map(|option| option.1)
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.last(key).map(|value| value.parse().expect("it was looked at"))
    }
}

fn model(text: &str) -> Option<Model<'_>> {
    let options = text.split(':').filter(|option| !option.is_empty());
    let options: Vec<_> =
        options.map(|option| option.split_once('=').unwrap_or((option, ""))).collect();
    options.iter().all(|(key, value)| is_right(key, value)).then_some(Model(options))
}

fn is_right(key: &str, value: &str) -> bool {
    let is_in = |least: u64, most: u64| {
        value.parse::<u64>().is_ok_and(|number| number >= least && number <= most)
    };
    match key {
        "track" | "on_violation" => true,
        "chaos" | "keep_freed" | "live" | "lossy" | "summary" | "stale_handles" => is_in(0, 1),
        "filter" | "log_path" | "debug_dir" | "flamegraph" | "trace" => !value.is_empty(),
        "seed" => is_in(0, u64::MAX),
        "object" => is_in(1, u64::MAX),
        "stuck" => is_in(1, 1 << 20),
        "watermark" => is_in(2, 4_000_000),
        "depth" => is_in(1, 64),
        "exitcode" => is_in(1, 255),
        "max_memory" => is_in(1, 1 << 20),
        "format" => ["text", "json", "html", "sarif"].contains(&value),
        "sample" => value.strip_prefix("1/").is_some_and(|n| n.parse::<u32>().is_ok_and(|n| n > 0)),
        "signal" => ["USR1", "USR2", "HUP", "PROF", "WINCH"]
            .contains(&value.strip_prefix("SIG").unwrap_or(value)),
        _ => false,
    }
}

/// Whether the bytes match, by trying each length for a `*`.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|taken| matches(rest, &name[taken..])),
        Some((&byte, rest)) => name.split_first().is_some_and(|(&first, others)| {
            (byte == b'?' || byte == first) && matches(rest, others)
        }),
    }
}
