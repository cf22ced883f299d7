//! What leads to held objects: lost ones are told from those that the program reaches, and what others own is counted.

use kref_c_tests::kref_track::{compile, contains, kref_track, track};

use kref_c_tests::{Compiler, Finished, per_compiler, plain, run};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::forms::{must_match, schema};

pub fn tests() -> Vec<Trial> {
    let mut tests = vec![
        plain("what-a-global-leads-to", global),
        plain("an-object-that-lives-as-long-as-the-program", singleton),
        plain("a-leak-below-an-owner", leak_below),
        plain("pointers-of-a-table-that-are-no-references", stale_table),
        plain("what-a-thread-holds", thread),
        plain("the-heap-of-another-thread", other_heap),
        plain("no-limit-cuts-off-a-root", many),
        plain("reach-in-json", in_json),
        plain("memory-that-cannot-be-read", not_readable),
        plain("the-cause-is-first-in-a-trace", of_trace),
    ];
    tests.extend(per_compiler("what-a-lost-object-owns", Compiler::need, lost));
    tests
}

const PROGRAM: &str = "reports/reach";

fn reach(what: &str) -> Finished {
    track(PROGRAM, &[], &[what])
}

fn is_before(ended: &Finished, first: &str, then: &str) {
    let place = |text: &str| ended.output.find(text).unwrap_or_else(|| panic!("{ended:?}"));
    assert!(place(first) < place(then), "{}", ended.output);
}

fn has_not(ended: &Finished, unwanted: &[&str]) {
    for text in unwanted {
        assert!(!ended.output.contains(text), "{text:?} in\n{}", ended.output);
    }
}

/// The root is reported, and what it owns is a line. main() has returned, so what is left of its frame leads to nothing.
fn lost(compiler: Compiler) {
    for level in ["-O0", "-O2"] {
        let program = compile(compiler, "tracker/reports/reach", &[level]);
        let ended = run(kref_track(&[]).arg(&program).arg("lost"));
        let words = [
            "kref-track: 14 references on 13 objects are still held at exit\n",
            "\nowner: 2 references on 1 object\n  1 object is lost: nothing points to it\n",
            "\n12 more objects are owned by these (12 references):\n  leaf: 8 objects\n  part: 4 objects\n",
        ];
        contains(&ended, &words);
        has_not(&ended, &["\npart: ", "\nleaf: ", "cycle"]);
        let right = run(kref_track(&[]).arg(&program).arg("given-back"));
        assert!(right.success && right.output.is_empty(), "{right:?}");
    }
}

/// A trace has no memory in which the namespace would be found as the owner of the devices, or the sprites as those of the
/// images. The judge knows it of the devices from those that were released: some of their references were given back by
/// a namespace's release. And it knows it of the images although no sprite was released: who makes a sprite takes two. So
/// the owner is named first, although more references on what it owns are held.
fn of_trace() {
    for (program, first, then) in [
        ("socket-keeps-namespace", "namespace_release: 1 ", "device_release: 4 "),
        ("constructor-takes-more", "sprite_release: 40 ", "image_release: 80 "),
    ] {
        let source = format!("bugs/leak-in-owner/{program}");
        let program = compile(Compiler::any(), &source, &["-O2", "-DWRONG"]);
        let trace = program.with_extension("trace");
        run(kref_track(&["--trace", &trace.to_string_lossy()]).arg(&program));
        let ended = run(kref_track(&["report"]).arg(&trace));
        is_before(&ended, first, then);
    }
}

fn global() {
    let ended = reach("global");
    let words =
        "\nowner: 1 reference on 1 object\n  1 object is reachable from a global variable\n";
    contains(&ended, &[words, "\n12 more objects are owned by these (12 references):\n"]);
}

/// The only object of its type, in a global variable, is a note. It is none if there was another one, or if somebody else
/// has a reference.
fn singleton() {
    let status = |what| track(PROGRAM, &["--exitcode", "9"], &[what]).status;
    assert_eq!(
        ["global", "second", "global-get", "lost"].map(status),
        [Some(0), Some(9), Some(9), Some(9)]
    );
    let note = "  Note: it is the only object of its type";
    contains(&reach("global"), &[note]);
    for what in ["second", "global-get", "lost"] {
        has_not(&reach(what), &[note]);
    }
}

/// The part has two references, and one owner.
fn leak_below() {
    let ended = reach("leak-below");
    contains(
        &ended,
        &[
            "\nowner: 1 reference on 1 object\n",
            "\npart: 2 references on 1 object\n  1 object is owned by another held object\n",
            "\n11 more objects are owned by these (11 references):\n",
        ],
    );
}

/// A table points to the parts. If the table holds no references on them, only their owner does, and the owner is the
/// cause.
fn stale_table() {
    for (what, first, then) in [
        ("stale-table", "\nowner: 2 references ", "\npart: 4 references on 4 objects\n"),
        ("table", "\npart: 8 references on 4 objects\n", "\nowner: 2 references "),
    ] {
        is_before(&reach(what), first, then);
    }
}

fn thread() {
    for what in ["thread", "exit", "request"] {
        contains(&reach(what), &["\n  1 object is held by a thread: its stack leads to it\n"]);
    }
}

fn other_heap() {
    let words = ["1 object is lost: nothing", "1 object is reachable from a global variable\n"];
    contains(&reach("other-heap"), &words);
}

fn many() {
    let ended = reach("many");
    for number in 0..64 {
        contains(&ended, &[&format!("\ntype{number}: 1 reference on 1 object\n")]);
    }
    has_not(&ended, &["more types"]);
}

fn in_json() {
    let of = |what| {
        let ended = track(PROGRAM, &["--format", "json"], &[what]);
        let report: Value = serde_json::from_str(&ended.output).expect("one line of JSON");
        let schema = schema();
        must_match(&report, &schema["$defs"]["held"], &schema);
        assert_eq!(report["search"]["complete"], true);
        report
    };
    let lost = of("lost");
    assert_eq!(lost["types"].as_array().map(Vec::len), Some(1));
    assert_eq!(lost["types"][0]["reach"]["lost"], 1);
    let owned = json!([
        { "type": "leaf", "objects": 8, "references": 8 },
        { "type": "part", "objects": 4, "references": 4 },
    ]);
    assert_eq!(lost["owned"], owned);
    assert_eq!(of("thread")["types"][0]["reach"]["thread"], 1);
}

/// Nothing is said of what leads to the objects, and all are in the report.
fn not_readable() {
    let ended = track("reports/ends", &[], &["kill"]);
    contains(&ended, &[" on 1 object ", " still held: process "]);
    has_not(&ended, &["lost", "reachable", "owned"]);
}
