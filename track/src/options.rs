//! What KREF_OPTIONS says: `key=value` with colons between.

use crate::format::Format;

/// The options, read once when the tracker starts.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most frames of a stack that are kept.
    pub depth: usize,
    /// Only types or creation sites that fit this pattern.
    pub filter: Option<String>,
    /// N of sample=1/N: one object in N is tracked.
    pub sample: u32,
    /// Where reports go; standard error if not set.
    pub log_path: Option<String>,
    /// A folder with separate debug files, as /usr/lib/debug.
    pub debug_dir: Option<String>,
    /// The object at this address alone is shown.
    pub address: Option<u64>,
    /// The exit status when something was found; 0 leaves the program's own.
    pub exitcode: i32,
    /// The form of the reports.
    pub format: Format,
    /// The signal that asks for a report.
    pub signal: Option<i32>,
    /// The object, counted in the order of creation from 1, whose chronicle is written.
    pub object: Option<u64>,
    /// A seed, if gets and puts are to be disturbed.
    pub chaos: Option<u64>,
    /// The most memory for the table.
    pub max_memory: usize,
    /// Where a flame graph goes at exit.
    pub flamegraph: Option<String>,
    /// One line at exit even if nothing was found.
    pub summary: bool,
    /// What is held is shown while the program runs.
    pub live: bool,
    /// A release function that does not return within this number of seconds is reported. 0: none is.
    pub stuck: u32,
    /// N of watermark=N: an object that gets its Nth reference is reported.
    pub watermark: Option<u32>,
    /// Lookups in pools that find no object are counted.
    pub stale_handles: bool,
    /// What release functions free is kept for a while.
    pub keep_freed: bool,
    /// A full ring drops events. Otherwise the program waits.
    pub lossy: bool,
    /// A file that gets all that is recorded, for `kref-track report`.
    pub trace: Option<String>,
    /// There are no reports but those of the trace, later.
    pub trace_only: bool,
}

impl Options {
    /// Reads them. libkref's own options are not for the judge.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut options = Self {
            depth: 16,
            filter: None,
            sample: 1,
            log_path: None,
            debug_dir: None,
            address: None,
            exitcode: 0,
            format: Format::Text,
            signal: None,
            object: None,
            chaos: None,
            max_memory: 1024 << 20,
            flamegraph: None,
            summary: false,
            live: false,
            stuck: 0,
            watermark: None,
            stale_handles: false,
            keep_freed: false,
            lossy: false,
            trace: None,
            trace_only: false,
        };
        let (mut chaos, mut seed) = (false, None);
        for option in text.split(':').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            match key {
                "chaos" => chaos = flag(key, value)?,
                "seed" => seed = Some(number(key, value, 0, u64::MAX)?),
                _ => options.apply(key, value)?,
            }
        }
        if options.log_path.is_none() {
            options.log_path = options.format.usual_file().map(str::to_string);
        }
        if options.trace_only && options.trace.is_none() {
            options.trace = Some(TRACE.to_string());
        }
        options.chaos = (chaos || seed.is_some()).then(|| seed.unwrap_or_else(any_seed));
        Ok(options)
    }

    fn apply(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "on_violation" => {}
            "track" => self.trace_only = value == "file",
            "depth" => self.depth = number(key, value, 1, 64)? as usize,
            "filter" => self.filter = Some(text(key, value)?),
            "sample" => self.sample = one_in(value)?,
            "log_path" => self.log_path = Some(text(key, value)?),
            "debug_dir" => self.debug_dir = Some(text(key, value)?),
            "exitcode" => self.exitcode = number(key, value, 1, 255)? as i32,
            "format" => {
                let format = Format::of(value);
                self.format = format.ok_or(format!("format={value}: it is {}", Format::NAMES))?;
            }
            "signal" => self.signal = Some(signal(value)?),
            "object" => self.object = Some(number(key, value, 1, u64::MAX)?),
            "max_memory" => self.max_memory = (number(key, value, 1, 1 << 20)? as usize) << 20,
            "flamegraph" => self.flamegraph = Some(text(key, value)?),
            "keep_freed" => self.keep_freed = flag(key, value)?,
            "lossy" => self.lossy = flag(key, value)?,
            "trace" => self.trace = Some(text(key, value)?),
            "summary" => self.summary = flag(key, value)?,
            "live" => self.live = flag(key, value)?,
            "stuck" => self.stuck = number(key, value, 1, 1 << 20)? as u32,
            "watermark" => self.watermark = Some(number(key, value, 2, 4_000_000)? as u32),
            "stale_handles" => self.stale_handles = flag(key, value)?,
            _ => return Err(format!("unknown option \"{key}\"; {CHOICES}")),
        }
        Ok(())
    }
}

/// The trace of track=file.
const TRACE: &str = "kref-track.%p.trace";

const CHOICES: &str = "the choices are debug_dir=, depth=, filter=, sample=1/N, log_path=, exitcode=, \
    format=text|json|html|sarif, signal=USR1, object=, chaos=1, seed=, max_memory=, flamegraph=, \
    keep_freed=1, live=1, lossy=1, stale_handles=1, stuck=, trace=, watermark= and summary=1";

fn number(key: &str, value: &str, least: u64, most: u64) -> Result<u64, String> {
    match value.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ if most == u64::MAX => Err(format!("{key}={value}: it is a number from {least}")),
        _ => Err(format!("{key}={value}: it is a number from {least} to {most}")),
    }
}

fn flag(key: &str, value: &str) -> Result<bool, String> {
    Ok(number(key, value, 0, 1)? == 1)
}

fn text(key: &str, value: &str) -> Result<String, String> {
    if value.is_empty() { Err(format!("{key}= needs a value")) } else { Ok(value.to_string()) }
}

fn one_in(value: &str) -> Result<u32, String> {
    let number = value.strip_prefix("1/").and_then(|number| number.parse().ok());
    number.filter(|&number| number > 0).ok_or(format!("sample={value}: it is 1/N, as in 1/100"))
}

fn signal(value: &str) -> Result<i32, String> {
    match value.strip_prefix("SIG").unwrap_or(value) {
        "USR1" => Ok(libc::SIGUSR1),
        "USR2" => Ok(libc::SIGUSR2),
        "HUP" => Ok(libc::SIGHUP),
        "PROF" => Ok(libc::SIGPROF),
        "WINCH" => Ok(libc::SIGWINCH),
        _ => Err(format!("signal={value}: it is USR1, USR2, HUP, PROF or WINCH")),
    }
}

fn any_seed() -> u64 {
    (crate::clock::exactly() ^ u64::from(std::process::id())) % 1_000_000
}

/// Whether `text` fits `pattern`, in which `*` stands for anything and `?` for one character.
pub fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (p, t) = (place + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::{Options, fits};

    #[test]
    fn patterns() {
        assert!(fits("session_*", "session_release"));
        assert!(fits("*.c:1?", "main.c:12"));
        assert!(!fits("session", "session_release"));
        assert!(fits("*a*b", "xaxxb") && !fits("*a*b", "xaxx"));
    }

    #[test]
    fn mistakes_are_told() {
        assert!(Options::parse("track=1:depth=8:sample=1/10").is_ok_and(|o| o.depth == 8));
        for wrong in
            ["depth=0", "dept=3", "sample=10", "format=xml", "format=", "signal=9", "filter="]
        {
            assert!(Options::parse(wrong).is_err(), "{wrong}");
        }
        let only = Options::parse("track=file").expect("a trace");
        assert!(only.trace_only && only.trace.is_some_and(|trace| trace.contains("%p")));
        assert!(
            Options::parse("track=file:trace=x").is_ok_and(|o| o.trace.as_deref() == Some("x"))
        );
        assert!(Options::parse("track=1").is_ok_and(|o| !o.trace_only && o.trace.is_none()));
        assert_eq!(Options::parse("seed=7").expect("a seed").chaos, Some(7));
        assert!(Options::parse("chaos=1").expect("chaos").chaos.is_some());
    }
}
