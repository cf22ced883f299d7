//! Reports on each percpu_ref, and on what slots hold.

use kref_c_tests::kref_track::{contains, track};
use kref_c_tests::plain;
use libtest_mimic::Trial;
use serde_json::Value;

use super::forms::{must_match, schema};
use super::here;

pub fn tests() -> Vec<Trial> {
    vec![
        plain("percpu-refs", percpu_refs),
        plain("percpu-refs-in-json", in_json),
        plain("what-a-slot-holds", slots),
    ]
}

const PROGRAM: &str = "reports/percpu";

fn percpu_refs() {
    let ended = track(PROGRAM, &[], &[]);
    let lost = here(PROGRAM);
    contains(
        &ended,
        &[
            // The second kill, when it is made.
            "kref-track: percpu_ref_kill() of a percpu_ref that was killed already: nothing was done\n",
            ", server_forget\n  by thread 1 ",
            "    stop ",
            // The lost puts.
            "\nserver_stop: 4 references on 2 objects\n",
            "  3 references, on object #2 at 0x",
            &format!("    serve {lost}\n    main "),
            // The server that runs on.
            "  1 reference, the initial one, which percpu_ref_kill() gives back, on object #3 at 0x",
            "    unkilled_start ",
            // The one that was not exited.
            "kref-track: 1 percpu_ref was released without percpu_ref_exit(), as #4 at 0x",
            "    unexited_start ",
        ],
    );
    for wrong in ["not known", "libkref", "percpu_inline", "everything_right", "#1 at"] {
        assert!(!ended.output.contains(wrong), "{wrong} in {}", ended.output);
    }
}

fn in_json() {
    let ended = track(PROGRAM, &["--format=json"], &[]);
    let schema = schema();
    let mut found = 0;
    for line in ended.output.lines().filter(|line| line.starts_with('{')) {
        let report: Value = serde_json::from_str(line).expect("JSON");
        if report["kind"] == "held" {
            must_match(&report, &schema["$defs"]["held"], &schema);
            assert_eq!(report["unexited"][0]["count"], 1, "{line}");
            assert_eq!(report["unexited"][0]["example"]["object"], 4, "{line}");
            found += 1;
        }
        if report["misuse"] == "killed-twice" {
            must_match(&report, &schema["$defs"]["misuse"], &schema);
            found += 1;
        }
    }
    assert_eq!(found, 2, "{}", ended.output);
}

/// The object that is published is the slot's. The one that was replaced belongs to the caller of the second replace.
fn slots() {
    let ended = track(PROGRAM, &[], &[]);
    contains(
        &ended,
        &[
            "\nconfig_free: 2 references on 2 objects\n",
            "  1 reference of \"a kref_slot\", on object #7 at 0x",
            "  1 reference, on object #6 at 0x",
        ],
    );
    assert_eq!(ended.output.matches("    configure ").count(), 2, "{}", ended.output);
    assert!(!ended.output.contains("creator's"), "{}", ended.output);
}
