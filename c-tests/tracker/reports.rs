//! Runs the programs of reports/ under kref-track, and checks the reports. Programs that are hard
//! to track, and about which nothing is to be reported, are in robustness.rs.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use kref_c_tests::kref_track::{compile, compile_with, contains, kref_track, silent, track};
use kref_c_tests::{Compiler, Library, c_tests, per_compiler, plain, project, run, scratch};
use libtest_mimic::Arguments;
use serde_json::Value;

#[path = "debug_files.rs"]
mod debug_files;
#[path = "documents.rs"]
mod documents;
#[path = "judge_ends.rs"]
mod judge_ends;
#[path = "options.rs"]
mod options;
#[path = "percpus.rs"]
mod percpus;
#[path = "pools.rs"]
mod pools;
#[path = "reach.rs"]
mod reach;

fn main() {
    let mut tests = vec![
        plain("a-leak-by-type-holder-and-stack", a_leak),
        plain("the-server-leaks-nothing", the_server),
        plain("a-leak-in-the-server", the_servers_leak),
        plain("puts-that-match-no-get", ambiguous_puts),
        plain("last-put-in-a-lookup", last_put_in_a_lookup),
        plain("json-matches-the-schema", json),
        plain("flame-graph", flame_graph),
        plain("flame-graph-of-hostile-names", flame_graph_of_hostile_names),
        plain("object-history", object_history),
        plain("names-of-types", names_of_types),
        plain("checkpoint-and-report", checkpoint_and_report),
        plain("regions-that-leave-references-behind", balance),
        plain("however-a-program-ends", however_it_ends),
        plain("a-daemon", a_daemon),
        plain("a-trace", a_trace),
        plain("a-running-program", a_running_program),
        plain("overflow", overflow),
        plain("no-object", no_object),
        plain("unloaded-library", unloaded_library),
        plain("release-function-in-an-unloaded-library", release_unloaded),
        plain("stripped", stripped),
        plain("not-linked-with-libkref", not_linked),
    ];
    tests.extend(per_compiler("inlined", Compiler::need, |compiler| {
        for flags in
            [&["-O2"][..], &["-O2", "-no-pie", "-fno-pie"], &["-O0"], &["-O2", "-gdwarf-4"]]
        {
            inlined(compiler, flags);
        }
    }));
    tests.extend(debug_files::tests());
    tests.extend(documents::tests());
    tests.extend(judge_ends::tests());
    tests.extend(options::tests());
    tests.extend(percpus::tests());
    tests.extend(pools::tests());
    tests.extend(reach::tests());
    tests.extend(per_compiler("stacks-without-macros", Compiler::need, stacks_without_macros));
    tests.extend(per_compiler("tail-calls", Compiler::need, tail_calls));
    tests.extend(per_compiler("references-of-c++", Compiler::need_cpp, references_of_cpp));
    tests.extend(per_compiler("names-of-c++", Compiler::need_cpp, names_of_cpp));
    tests.extend(per_compiler("static-archive", Compiler::need, static_archive));
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

fn json() {
    let ended = track("reports/holders", &["--format", "json"], &[]);
    let report: Value = serde_json::from_str(&ended.output).expect("one line of JSON");
    let schema = schema();
    must_match(&report, &schema["$defs"]["held"], &schema);
    assert_eq!(report["types"][0]["held"][0]["holder"], "index");
    let misuse = track("reports/lookup", &["--format", "json"], &[]);
    let misuse: Value = serde_json::from_str(&misuse.output).expect("one line of JSON");
    must_match(&misuse, &schema["$defs"]["misuse"], &schema);
    assert_eq!(misuse["misuse"], "end-in-lookup");
    let chronicle = track("reports/lookup", &["--format", "json", "--object", "1"], &[]);
    let event: Value =
        serde_json::from_str(chronicle.output.lines().next().expect("a line")).expect("JSON");
    must_match(&event, &schema["$defs"]["event"], &schema);
}

fn schema() -> Value {
    let schema = std::fs::read(project().join("track/schema.json")).expect("the schema");
    serde_json::from_slice(&schema).expect("JSON")
}

/// Checks that the schema describes each member of `value`, and that `value` has all members of the
/// schema.
fn must_match(value: &Value, schema: &Value, root: &Value) {
    let schema = match schema["$ref"].as_str() {
        Some(name) => &root["$defs"][name.rsplit('/').next().expect("a name")],
        None => schema,
    };
    match value {
        Value::Object(members) => {
            let properties = schema["properties"].as_object();
            let properties = properties.unwrap_or_else(|| panic!("{value} is not described"));
            for name in properties.keys() {
                assert!(members.contains_key(name), "no {name} in {value}");
            }
            for (name, member) in members {
                let known = properties.get(name);
                must_match(
                    member,
                    known.unwrap_or_else(|| panic!("{name} is not described")),
                    root,
                );
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|item| must_match(item, &schema["items"], root))
        }
        _ => {}
    }
}

fn flame_graph() {
    let svg = drawn("reports/holders");
    for text in ["<svg", "object_release", "serve ", "&quot;index&quot;", "15 references, 100.00%"]
    {
        assert!(svg.contains(text), "no {text} in the drawing:\n{svg}");
    }
}

/// A name is text in the drawing, and neither markup nor a control character.
fn flame_graph_of_hostile_names() {
    let svg = drawn("reports/hostile-names");
    let name = r"&quot;\x1b[31m&lt;/text&gt;&lt;script&gt;alert(&apos;&amp;&quot;&apos;)\x0a&quot;";
    let titles = svg.matches(&format!("<title>{name}: 1 reference, 50.00%</title>")).count();
    let labels = svg.matches(&format!(">{name}</text>")).count();
    assert_eq!((titles, labels), (1, 1), "{svg}");
    assert_eq!(svg.matches("<script>").count(), 1, "{svg}");
    assert!(!svg.contains(|c: char| c.is_control() && c != '\n'), "{svg:?}");
}

/// The flame graph of what a program holds at its exit.
fn drawn(program: &str) -> String {
    let file = scratch().join(format!("{}.svg", program.replace('/', "-")));
    let _ = std::fs::remove_file(&file);
    track(program, &["--flamegraph", &file.to_string_lossy()], &[]);
    std::fs::read_to_string(file).expect("a drawing")
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

/// Not at KREF_DEFINE(). A function that the program has written itself is shown.
fn stacks_without_macros(compiler: Compiler) {
    for flags in [&["-O0"][..], &["-O2"], &["-O2", "-g1"], &["-O2", "-DKREF_NO_INLINE"]] {
        let program = compile(compiler, "tracker/reports/typed", flags);
        let ended = run(kref_track(&[]).arg(program));
        contains(&ended, &[":\n    session_new ", ":\n    main ", ":\n    page_ref "]);
        for line in lines_of("tracker/reports/typed.c", "KREF_DEFINE(") {
            assert!(!ended.output.contains(&format!("typed.c:{line}\n")), "{}", ended.output);
        }
    }
}

fn lines_of(source: &str, text: &str) -> Vec<usize> {
    let source = std::fs::read_to_string(c_tests().join(source)).expect("a source file");
    let lines = source.lines().zip(1..).filter(|(line, _)| line.contains(text));
    lines.map(|(_, number)| number).collect()
}

/// A function whose last call was a jump is shown, if there is one way alone from its caller to the get.
fn tail_calls(compiler: Compiler) {
    let source = "tracker/reports/tail-calls";
    for flags in [&["-O2"][..], &["-O2", "-gdwarf-4"]] {
        let program = compile(compiler, source, flags);
        let line = |mark| lines_of(&format!("{source}.c"), mark)[0];
        let direct = format!("direct {source}.c:{} (tail call)", line("DIRECT"));
        let outer = format!("outer {source}.c:{} (tail call)", line("OUTER"));
        for (way, wanted) in [
            ("direct", &["job_get ", &direct, "main "][..]),
            ("outer", &["job_get ", &direct, &outer, "main "]),
            ("twice", &["job_get ", "main "]),
            ("indirect", &["job_get ", "main "]),
        ] {
            let ended = run(kref_track(&[]).arg(&program).arg(way));
            let frames = ended.output.lines().skip_while(|line| !line.contains(" taken "));
            let frames: Vec<_> = frames.skip(1).map(str::trim).take(wanted.len()).collect();
            let pairs = frames.iter().zip(wanted);
            let is_right = pairs.clone().count() == wanted.len()
                && pairs.clone().all(|(frame, wanted)| frame.starts_with(wanted));
            assert!(is_right, "{way}: {}", ended.output);
        }
    }
}

/// The stacks begin in the program, and not in kref.hpp, whose functions have the names of its types.
fn references_of_cpp(compiler: Compiler) {
    for level in ["-O0", "-O2"] {
        let program = compile(compiler, "tracker/reports/references", &["-std=c++11", level]);
        let ended = run(kref_track(&[]).arg(program));
        contains(&ended, &["\nnamed: 1 reference on 1 object\n", ":\n    named::named "]);
        contains(&ended, &["\njob_put: 2 references on 1 object\n", ":\n    keep", ":\n    grab"]);
        assert!(!ended.output.contains("kref.hpp"), "{}", ended.output);
    }
}

/// With the class and the namespace, and without the parameters; also where the debug information has no linkage name.
/// With -g1 an inlined function without a linkage name has no class either.
fn names_of_cpp(compiler: Compiler) {
    for flags in [&["-O1"][..], &["-O2"], &["-O2", "-g1"]] {
        let program =
            compile(compiler, "tracker/reports/names", &[&["-std=c++11"], flags].concat());
        for (how, name) in [
            ("template", "net::pool::slot<object>::fill"),
            ("method", "net::session::open"),
            ("inlined method", "net::session::reopen"),
            ("operator", "net::session::operator+="),
            ("anonymous", "net::(anonymous namespace)::hidden::hold"),
            ("inlined anonymous", "net::(anonymous namespace)::hidden::inlined"),
        ] {
            let short = name.rsplit("::").next().unwrap_or(name);
            let may_be_short = how.starts_with("inlined") && flags.contains(&"-g1");
            let ended = run(kref_track(&[]).arg(&program).arg(how));
            contains(&ended, &["names.cpp:", "\n    main "]);
            let names = [Some(name), may_be_short.then_some(short)];
            let mut names = names.iter().flatten().map(|name| format!("\n    {name} "));
            assert!(names.any(|name| ended.output.contains(&name)), "{}", ended.output);
        }
        let ended = run(kref_track(&[]).arg(&program).arg("lambda"));
        contains(&ended, &["\n    by_lambda"]);
        let first = ended.output.lines().find(|line| line.starts_with("    ")).expect("a frame");
        assert!(first.starts_with("    by_lambda") && first.contains("::operator() "), "{first}");
    }
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
    must_match(&report, &schema()["$defs"]["balance"], &schema());
    assert_eq!(report["left"][0]["type"], "page");
}

fn however_it_ends() {
    for (how, status, signal, words) in [
        ("fault", None, Some(libc::SIGSEGV), "was ended by SIGSEGV"),
        ("kill", None, Some(libc::SIGKILL), "was ended by SIGKILL"),
        ("terminate", None, Some(libc::SIGTERM), "was ended by SIGTERM"),
        ("_exit", Some(3), None, "ended with status 3, without exit()"),
        ("quick_exit", Some(3), None, "ended with status 3, without exit()"),
        ("close", Some(0), None, "still held at exit"),
        ("exec", Some(0), None, "executed another program"),
        ("child", Some(0), None, "ended without exit()"),
    ] {
        let ended = track("reports/ends", &[], &[how]);
        assert_eq!((ended.status, ended.signal), (status, signal), "{ended:?}");
        let place = here("reports/ends");
        contains(&ended, &[words, "on 1 object ", " still held", &place]);
        let report = "kref-track: SIGSEGV in thread 1 (";
        assert_eq!(ended.output.contains(report), how == "fault", "{}", ended.output);
    }
    assert_eq!(track("reports/ends", &["--exitcode", "9"], &["_exit"]).status, Some(9));
}

/// What the parent of a daemon holds is the daemon's.
fn a_daemon() {
    let ended = track("reports/ends", &[], &["daemon"]);
    contains(&ended, &["kref-track: 2 references on 1 object are still held at exit\n"]);
    assert_eq!(ended.output.matches("still held").count(), 1, "{}", ended.output);
}

fn a_trace() {
    let trace = scratch().join("ends.trace");
    let ended = track("reports/ends", &["--trace", &trace.to_string_lossy()], &["_exit"]);
    let later = run(kref_track(&["report"]).arg(&trace));
    assert!(later.success && later.output == ended.output, "{later:?}\n{ended:?}");
    std::fs::write(&trace, "no trace").expect("our file");
    assert_eq!(run(kref_track(&["report"]).arg(&trace)).status, Some(2));
}

/// Neither stopped nor waited for.
fn a_running_program() {
    let program = compile(Compiler::any(), "tracker/reports/ends", &["-O1"]);
    let mut command = kref_track(&["--log-path", "/dev/null"]);
    command.arg(program).arg("wait").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut tracked = command.spawn().expect("kref-track");
    let mut out = BufReader::new(tracked.stdout.take().expect("a pipe"));
    out.read_line(&mut String::new()).expect("the program is ready");
    let children = format!("/proc/{0}/task/{0}/children", tracked.id());
    let children = std::fs::read_to_string(children).expect("the children of kref-track");
    let asked = |pid: &str| run(kref_track(&["-p"]).arg(pid));
    let told: Vec<_> = children.split_whitespace().map(asked).collect();
    drop(tracked.stdin.take());
    assert!(tracked.wait().expect("its end").success());
    let place = here("reports/ends");
    let held = told.iter().find(|told| told.success).unwrap_or_else(|| panic!("{told:?}"));
    contains(held, &["2 references on 1 object are held, asked by kref-track -p\n", &place]);
}

fn overflow() {
    assert_eq!(track("reports/overflow", &[], &[]).output, "");
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

fn unloaded_library() {
    let plugin = compile(Compiler::any(), "tracker/reports/plugin", &["-shared", "-fPIC"]);
    let ended = track("reports/loader", &[], &[&plugin.to_string_lossy()]);
    contains(&ended, &["    plugin_hold ", "tracker/reports/plugin.c:", "    main "]);
}

/// No stack has a function of the library. The address of its release function alone leads to it.
fn release_unloaded() {
    let plugin = compile(Compiler::any(), "tracker/reports/plugin", &["-shared", "-fPIC"]);
    let ended = track("reports/release-unloaded", &[], &[&plugin.to_string_lossy()]);
    contains(&ended, &["\nplugin_release: 1 reference on 1 object\n"]);
}

fn stripped() {
    let program = compile(Compiler::any(), "tracker/reports/holders", &["-O1", "-fno-ident"]);
    // No other test runs the program that these flags build.
    let strip = run(Command::new("strip").arg(&program));
    assert!(strip.success, "{}", strip.output);
    let ended = run(kref_track(&[]).arg(&program));
    let name = program.file_name().expect("a name").to_string_lossy();
    contains(&ended, &["15 references of \"index\"", &format!("    {name}+0x")]);
}

fn inlined(compiler: Compiler, flags: &[&str]) {
    let program = compile(compiler, "tracker/reports/inlined", flags);
    let ended = run(kref_track(&[]).arg(program));
    contains(&ended, &["    keep ", &here("reports/inlined"), "    main "]);
}

fn static_archive(compiler: Compiler) {
    let program = compile_with(compiler, "tracker/reports/inlined", &["-O1"], Library::Static);
    let ended = run(kref_track(&[]).arg(program));
    contains(&ended, &["1 reference, on object #1", &here("reports/inlined")]);
    let first = ended.output.lines().find(|line| line.starts_with("    ")).expect("a frame");
    assert!(first.starts_with("    keep "), "libkref's own frames are left out: {first}");
}

fn not_linked() {
    let ended = run(kref_track(&[]).arg("true"));
    assert!(ended.success);
    contains(&ended, &["was not tracked"]);
    // A program that it runs is tracked.
    let program = compile(Compiler::any(), "tracker/reports/inlined", &["-O1"]);
    let ended = run(kref_track(&[]).args(["sh", "-c", "\"$0\"; true"]).arg(program));
    contains(&ended, &["1 reference, on object #1"]);
    assert!(!ended.output.contains("was not tracked"), "{}", ended.output);
}
