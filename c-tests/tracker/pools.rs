//! Reports on objects of pools, and on lookups that find none.

use kref_c_tests::kref_track::{contains, track};
use kref_c_tests::plain;
use libtest_mimic::Trial;
use serde_json::Value;

use super::forms::{must_match, schema};
use super::here;

pub fn tests() -> Vec<Trial> {
    vec![
        plain("leaks-of-a-pool", leaks),
        plain("misuse-of-a-pool", misuse),
        plain("stale-handles", stale_handles),
        plain("stale-handles-in-json", stale_handles_in_json),
    ]
}

const PROGRAM: &str = "reports/pool";

fn leaks() {
    let ended = track(PROGRAM, &[], &[]);
    contains(
        &ended,
        &[
            "kref-track: 3 references on 3 objects are still held at exit\n",
            "\nsession: 3 references on 3 objects\n",
            // Only object #2 was found by its handle. With one object of a kind the blame is not certain.
            ":\n    find ",
            "This is likely, not certain.",
            ":\n    search ",
            "  1 reference of the creator's, on object #4 at 0x",
            ":\n    session_open ",
            // The end of the pool comes too early.
            "kref-track: kref_pool_destroy() while an object is referenced: nothing was freed\n",
            "  held: 1 reference by thread 1 ",
        ],
    );
    for wrong in ["not known", "kref_init", "found no object", "libkref", "released by"] {
        assert!(!ended.output.contains(wrong), "{wrong} in {}", ended.output);
    }
    assert_eq!(track(PROGRAM, &["--keep-freed"], &[]).output.matches("#4 at").count(), 1);
}

fn misuse() {
    let program = "reports/pool-misuse";
    let ended = track(program, &[], &[]);
    let reports: Vec<_> = ended.output.split("kref-track: ").skip(1).collect();
    let [late, publish, free, held] = reports[..] else { panic!("{}", ended.output) };
    in_order(
        late,
        &[
            "put on a released object\n  object #1 at 0x",
            ", session\n  by thread 1 ",
            "    close_late ",
            "  released by thread 1 ",
            "    main ",
            "  created by thread 1 ",
            "    session_open ",
        ],
    );
    // The next object at the place is #2, and nothing is said of it.
    in_order(
        publish,
        &[
            "kref_pool_publish() of an object whose count was touched before: the object leaks\n",
            "  object #3 at 0x",
            "    main ",
            "  created by thread 1 ",
            &format!("    initialise {}\n", here(program)),
        ],
    );
    in_order(
        free,
        &[
            "kref_pool_free() of an object that is referenced or free: nothing was freed\n",
            "  object #4 at 0x",
            "    main ",
            "  created by ",
            "  held: 1 reference by the creator, taken:\n",
            "    session_open ",
        ],
    );
    // What kref_init() has begun leaks.
    in_order(held, &["1 reference on 1 object is still held at exit\n", "    initialise "]);
}

/// Checks that the texts are in the report, in this order.
fn in_order(report: &str, texts: &[&str]) {
    let mut rest = report;
    for text in texts {
        let Some((_, after)) = rest.split_once(text) else { panic!("no {text:?} in\n{report}") };
        rest = after;
    }
}

fn stale_handles() {
    let ended = track(PROGRAM, &["--stale-handles"], &[]);
    contains(
        &ended,
        &[
            "kref-track: 2 lookups by handle found no object, \
             1 of them by a number that is no handle of the pool\n",
            "  1 lookup:\n    find ",
            "  1 lookup, 1 of them by a number that is no handle of the pool:\n    main ",
        ],
    );
    let ended = track("reports/pool-misuse", &["--stale-handles"], &[]);
    contains(&ended, &["kref-track: 0 lookups by handle found no object\n"]);
}

fn stale_handles_in_json() {
    let ended = track(PROGRAM, &["--stale-handles", "--format", "json"], &[]);
    let report = ended.output.lines().find(|line| line.contains("\"stale-handles\""));
    let report: Value = serde_json::from_str(report.expect("a line")).expect("JSON");
    must_match(&report, &schema()["$defs"]["stale-handles"], &schema());
    assert_eq!((report["lookups"].as_u64(), report["never_given"].as_u64()), (Some(2), Some(1)));
    let held = ended.output.lines().find(|line| line.contains("\"kind\":\"held\""));
    let held: Value = serde_json::from_str(held.expect("a line")).expect("JSON");
    assert_eq!(held["types"][0]["type"], "session");
}
