//! Runs the programs of reports/ under kref-track, and checks the reports. Programs that are hard
//! to track, and about which nothing is to be reported, are in robustness.rs.
//!
//! What a report says of references and misuse is tested here. The modules test how it says that and when: the lines
//! (lines.rs, debug_files.rs), the forms (forms.rs, documents.rs), the ends of a program and of the judge (ends.rs,
//! judge_ends.rs), the options, and what leads to an object (reach.rs); and percpu_refs and pools.

use std::process::Command;

use kref_c_tests::kref_track::{compile, contains, silent, track};
use kref_c_tests::{Compiler, c_tests, plain, run};
use libtest_mimic::Arguments;
use serde_json::Value;

#[path = "debug_files.rs"]
mod debug_files;
#[path = "documents.rs"]
mod documents;
#[path = "ends.rs"]
mod ends;
#[path = "forms.rs"]
mod forms;
#[path = "judge_ends.rs"]
mod judge_ends;
#[path = "lines.rs"]
mod lines;
#[path = "options.rs"]
mod options;
#[path = "percpus.rs"]
mod percpus;
#[path = "pools.rs"]
mod pools;
#[path = "reach.rs"]
mod reach;

use forms::{must_match, schema};

fn main() {
    let mut tests = vec![
        plain("a-leak-by-type-holder-and-stack", a_leak),
        plain("the-server-leaks-nothing", the_server),
        plain("a-leak-in-the-server", the_servers_leak),
        plain("puts-that-match-no-get", ambiguous_puts),
        plain("last-put-in-a-lookup", last_put_in_a_lookup),
        plain("object-history", object_history),
        plain("names-of-types", names_of_types),
        plain("checkpoint-and-report", checkpoint_and_report),
        plain("regions-that-leave-references-behind", balance),
        plain("overflow", overflow),
        plain("no-object", no_object),
    ];
    tests.extend(debug_files::tests());
    tests.extend(documents::tests());
    tests.extend(ends::tests());
    tests.extend(forms::tests());
    tests.extend(judge_ends::tests());
    tests.extend(lines::tests());
    tests.extend(options::tests());
    tests.extend(percpus::tests());
    tests.extend(pools::tests());
    tests.extend(reach::tests());
    libtest_mimic::run(&Arguments::from_args(), tests).exit();
}

/// The place that a program's source marks with `HERE`, as reports print it.
fn here(name: &str) -> String {
    let source = std::fs::read_to_string(c_tests().join(format!("tracker/{name}.c")));
    let source = source.expect("a source file");
    let line = source.lines().position(|line| line.contains("/* HERE */")).expect("a mark");
    format!("tracker/{name}.c:{}", line + 1)
}

fn a_leak() {
    let ended = track("reports/holders", &[], &[]);
    assert!(ended.success, "{ended:?}");
    contains(
        &ended,
        &[
            "kref-track: 15 references on 15 objects are still held at exit\n",
            "object_release: 15 references on 15 objects\n",
            "  15 references of \"index\", on 15 objects, as #1 at 0x",
            " by thread 1 (",
            "    serve ",
            "    main ",
            "without branches that are even:\n    +15 main ",
        ],
    );
    assert!(!ended.output.contains("\"cache\""), "{}", ended.output);
    assert!(!ended.output.contains("not certain"), "{}", ended.output);
}

fn the_server() {
    let ended = track("reports/server", &["--summary"], &[]);
    let words = ["10016 requests; ", " objects tracked, 0 found"];
    contains(&ended, &words);
    assert!(ended.success && ended.output.lines().count() == 2, "{}", ended.output);
}

/// The leaked sessions stay in their table, so a leak checker for memory reports nothing.
fn the_servers_leak() {
    let ended = track("reports/server", &[], &["--leak", "1000", "20000"]);
    contains(
        &ended,
        &[
            "session_release: 19 references on ",
            "    session_get ",
            "    show ",
            "    serve ",
            "    work ",
        ],
    );
    for kept in ["page_release: ", "config_release: ", "request_release: "] {
        assert!(!ended.output.contains(kept), "{}", ended.output);
    }
}

fn ambiguous_puts() {
    let ended = track("reports/ambiguous-puts", &[], &[]);
    contains(
        &ended,
        &["It is not certain which put gave back which reference.", "gets       puts        net"],
    );
    contains(
        &ended,
        &["         1          0         +1  take ", "0          2         -2  object_put "],
    );
}

fn last_put_in_a_lookup() {
    let ended = track("reports/lookup", &[], &[]);
    contains(&ended, &["the last reference was dropped inside kref_lookup_mutex()"]);
    contains(&ended, &["    find "]);
}

fn object_history() {
    let ended = track("reports/lookup", &["--object", "1"], &[]);
    let acts: Vec<_> = ended.output.lines().filter(|line| line.starts_with("object #1,")).collect();
    let wanted =
        ["created, count 1", "get, count 2", "put, count 1", "put, count 0", "released, count 0"];
    assert_eq!(acts.len(), wanted.len(), "{}", ended.output);
    for (line, act) in acts.iter().zip(wanted) {
        assert!(line.contains(act) && line.contains("thread 1 ("), "{line}");
    }
}

fn names_of_types() {
    let program = "reports/typed";
    let ended = track(program, &[], &[]);
    contains(
        &ended,
        &[
            "connection: 3 references on 2 objects\n",
            "session: 1 reference on 1 object\n",
            "temporary: 1 reference on 1 object\n",
            "put on a released object\n",
            ", session\n",
        ],
    );
    let place = here(program);
    contains(&ended, &[place.as_str()]);
    assert!(!ended.output.contains("session_free"), "{}", ended.output);
    let ended = track(program, &["--filter", "conn*"], &[]);
    contains(&ended, &["connection: 3 references"]);
    assert!(!ended.output.contains("session:"), "{}", ended.output);
}

fn checkpoint_and_report() {
    let ended = track("reports/on-request", &[], &[]);
    contains(
        &ended,
        &[
            "kref-track: 1 reference on 1 object is held, of those taken since the checkpoint, asked",
            "    late ",
        ],
    );
    assert!(!ended.output.contains("    early "), "{}", ended.output);
    let untracked =
        run(&mut Command::new(compile(Compiler::any(), "tracker/reports/on-request", &["-O1"])));
    assert!(!untracked.success, "without a tracker there is none to report");
}

fn balance() {
    silent("reports/balance", &[]);
    let untracked =
        run(Command::new(compile(Compiler::any(), "tracker/reports/balance", &["-O1"]))
            .arg("wrong"));
    assert!(untracked.success && untracked.output.is_empty(), "{untracked:?}");
    let ended = track("reports/balance", &[], &["wrong", "tracked"]);
    assert!(ended.success, "{ended:?}");
    contains(
        &ended,
        &[
            "kref-track: 1 reference was left behind\n  1 reference, on object #2 at 0x",
            ", page, taken by:\n    session_new ",
            "kref-track: 3 references were left behind\n",
            "  1 reference, on object #1 at 0x",
            ", session, taken by:\n    take tracker/reports/balance.c:",
            "  since kref_balance_begin() by thread 1 (",
            "tracker/reports/balance.c:71",
        ],
    );
    assert_eq!(ended.output.matches("left behind").count(), 2, "{}", ended.output);
    let ended = track("reports/balance", &["--format", "json"], &["wrong", "tracked"]);
    let report = ended.output.lines().find(|line| line.contains("\"balance\"")).expect("a report");
    let report: Value = serde_json::from_str(report).expect("JSON");
    let schema = schema();
    must_match(&report, &schema["$defs"]["balance"], &schema);
    assert_eq!(report["left"][0]["type"], "page");
}

fn overflow() {
    let limit = "kref-track: 1 object had too many references to be tracked any further: 4,000,000 are the tracker's limit\n";
    let ended = track("reports/overflow", &["--exitcode", "9"], &[]);
    assert_eq!((ended.status, ended.output.as_str()), (Some(0), limit), "{ended:?}");
    let filtered = track("reports/overflow", &["--filter", "session_*"], &[]);
    assert_eq!(filtered.output, "");
    let ended = track("reports/overflow", &["--summary"], &[]);
    contains(&ended, &["kref-track: too many references", "held: 3999999 references by \"poll\""]);
    contains(&ended, &["1 object had too many references to be tracked any further"]);
    assert!(!ended.output.contains("still held"), "{}", ended.output);
}

fn no_object() {
    let ended = track("reports/no-object", &[], &[]);
    contains(&ended, &["kref-track: get or put where no object is", &here("reports/no-object")]);
    assert_eq!(ended.output.matches("where no object is").count(), 1, "{}", ended.output);
}
