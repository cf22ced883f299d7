//! format=html and format=sarif: the files that are written, and what CI systems need of SARIF. What a browser makes of
//! a page is tested in browser/.

use std::path::{Path, PathBuf};
use std::process::Command;

use kref_c_tests::kref_track::{compile, kref_track};
use kref_c_tests::{Compiler, Finished, Prefix, c_tests, folder, plain, printed, run};
use libtest_mimic::Trial;
use serde_json::Value;

pub fn tests() -> Vec<Trial> {
    vec![
        plain("sarif-has-what-ci-systems-need", sarif),
        plain("sarif-of-a-right-program", sarif_of_nothing),
        plain("sarif-of-several-processes", sarif_of_processes),
        plain("sarif-knows-a-finding-again", same_fingerprints),
        plain("html-names-its-script", html_hash),
        plain("html-files", html_files),
        plain("html-of-a-trace", html_of_a_trace),
        plain("html-source-lines", html_source_lines),
    ]
}

fn program(name: &str) -> PathBuf {
    compile(Compiler::any(), name, &["-O1"])
}

/// Runs a program of the folder c-tests, from there.
fn track(options: &[&str], program: &Path, arguments: &[&str]) -> Finished {
    run(kref_track(options).arg(program).args(arguments).current_dir(c_tests()))
}

/// The SARIF log of a program, which ends with this status.
fn log_of(name: &str, program: &Path, status: i32) -> Value {
    let file = folder(&format!("sarif-{name}")).join("kref.sarif");
    let path = file.to_string_lossy().into_owned();
    let options = ["--format", "sarif", "--log-path", &path, "--exitcode", "9"];
    let ended = track(&options, program, &[]);
    assert_eq!(ended.status, Some(status), "{ended:?}");
    let log = std::fs::read(&file).expect("a log");
    let log = serde_json::from_slice(&log).expect("JSON");
    check(&log);
    log
}

fn results(log: &Value) -> &[Value] {
    log["runs"][0]["results"].as_array().expect("results")
}

/// What GitHub's code scanning asks of a log.
fn check(log: &Value) {
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    assert_eq!(log["version"], "2.1.0");
    assert!(is_text(&log["$schema"]));
    let [run] = log["runs"].as_array().expect("runs").as_slice() else { panic!("one run: {log}") };
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "kref-track");
    let rules = driver["rules"].as_array().expect("rules");
    for rule in rules {
        for member in ["shortDescription", "fullDescription", "help"] {
            assert!(is_text(&rule[member]["text"]), "{rule}");
        }
    }
    let mut seen = Vec::new();
    for result in results(log) {
        let rule = &rules[result["ruleIndex"].as_u64().expect("a rule") as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        let level = result["level"].as_str().expect("a level");
        assert!(["error", "warning", "note"].contains(&level), "{level}");
        assert!(is_text(&result["message"]["text"]), "{result}");
        check_location(&result["locations"][0]);
        let prints = &result["partialFingerprints"];
        assert!(prints.as_object().is_some_and(|all| all.values().all(is_text)), "{result}");
        assert!(!seen.contains(&prints), "two results are one: {result}");
        seen.push(prints);
        let related = result["relatedLocations"].as_array().expect("related locations");
        for location in related {
            check_location(location);
            assert!(location["id"].is_u64() && is_text(&location["message"]["text"]));
        }
        for flow in result["codeFlows"].as_array().expect("flows") {
            let steps = flow["threadFlows"][0]["locations"].as_array().expect("steps");
            assert!(!steps.is_empty());
            steps.iter().for_each(|step| check_location(&step["location"]));
        }
    }
}

/// A file below the root has a relative path, which names the root.
fn check_location(location: &Value) {
    let place = &location["physicalLocation"];
    let uri = place["artifactLocation"]["uri"].as_str().expect("a URI");
    assert!(uri.chars().all(|c| c.is_ascii_graphic() && !"<>\"\\^`{|}".contains(c)), "{uri}");
    let is_source = place["region"]["startLine"].as_u64().is_some_and(|line| line > 0);
    let has_root = place["artifactLocation"]["uriBaseId"] == "%SRCROOT%";
    assert!(!uri.starts_with('/') && has_root == (is_source && !uri.contains(':')), "{location}");
}

fn sarif() {
    let log = log_of("found", &program("browser/leaks"), 9);
    let found: Vec<_> =
        results(&log).iter().map(|of| of["ruleId"].as_str().expect("a rule")).collect();
    assert_eq!(found, ["put-after-release", "leak", "leak", "leak", "leak"], "{log:#}");
    let source = std::fs::read_to_string(c_tests().join("browser/leaks.c")).expect("a source");
    let line = source.lines().position(|line| line.contains("/* HERE */")).expect("a mark") + 1;
    let place = &results(&log)[1]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "browser/leaks.c");
    assert_eq!(place["region"]["startLine"], line);
    // The put that released the object, and the creation.
    let related = results(&log)[0]["relatedLocations"].as_array().expect("locations");
    assert_eq!(related.len(), 2, "{related:?}");
    let message = results(&log)[1]["message"]["text"].as_str().expect("a message");
    let begin = "100 references on 1 object (object_release)";
    assert!(message.starts_with(begin), "{message}");
}

/// A log without results tells a CI system that what it knew is gone.
fn sarif_of_nothing() {
    let log = log_of("nothing", &program("tracker/robustness/threads"), 0);
    assert!(results(&log).is_empty(), "{log:#}");
}

/// What a parent and its child leak at one place is one result.
fn sarif_of_processes() {
    let log = log_of("processes", &program("tracker/reports/forked"), 9);
    let counts: Vec<_> = results(&log).iter().map(|of| &of["occurrenceCount"]).collect();
    assert_eq!(counts, [2], "{log:#}");
}

/// The places of objects in memory, the times and the process are others in each run.
fn same_fingerprints() {
    let program = program("browser/leaks");
    let prints = |log: &Value| -> Vec<Value> {
        results(log).iter().map(|of| of["partialFingerprints"].clone()).collect()
    };
    let first = prints(&log_of("first", &program, 9));
    assert_eq!(first, prints(&log_of("again", &program, 9)));
    // Lines are no part of them, so two leaks of one function are told apart by their order.
    let of_kind = |ending: &str| {
        first
            .iter()
            .filter(|print| {
                print["krefTrackStack/v1"].as_str().is_some_and(|it| it.ends_with(ending))
            })
            .count()
    };
    assert_eq!((of_kind(":1"), of_kind(":2")), (5, 0), "{first:?}");
}

/// The page's policy has the hash of the page's script.
fn html_hash() {
    let file = folder("html-hash").join("report.html");
    let page = page(&file, &program("browser/leaks"), &[]);
    let (_, script) = page.split_once("<script>").expect("a script");
    let (script, _) = script.split_once("</script>").expect("its end");
    let beside = file.with_extension("js");
    std::fs::write(&beside, script).expect("our file");
    let hash = base64(&printed(Command::new("sha256sum").arg(&beside))[..64]);
    let policy = format!("script-src 'sha256-{hash}'");
    assert!(
        page.contains(&policy),
        "track/src/html/mod.rs needs the hash of another script: {hash}"
    );
}

/// Hexadecimal digits, in base64.
fn base64(digits: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u32> = digits
        .chars()
        .flat_map(|digit| {
            let digit = digit.to_digit(16).expect("a digit");
            [3, 2, 1, 0].map(|bit| digit >> bit & 1)
        })
        .collect();
    let letter = |bits: &[u32]| {
        let number = (0..6).fold(0, |sum, at| 2 * sum + bits.get(at).copied().unwrap_or(0));
        char::from(LETTERS[number as usize])
    };
    let text: String = bits.chunks(6).map(letter).collect();
    format!("{text:=<0$}", text.len().next_multiple_of(4))
}

fn page(file: &Path, program: &Path, options: &[&str]) -> String {
    let path = file.to_string_lossy().into_owned();
    let all = [&["--format", "html", "--log-path", &path], options].concat();
    let ended = track(&all, program, &[]);
    assert!(!ended.output.contains("kref-track"), "{ended:?}");
    std::fs::read_to_string(file).expect("a page")
}

/// One file has all processes, and is written also if nothing was found; with %p each has its own, if something was.
fn html_files() {
    let folder = folder("html-files");
    let (right, wrong) = (program("tracker/robustness/threads"), program("tracker/reports/forked"));
    let file = folder.join("report.html");
    assert_eq!(page(&file, &wrong, &[]).matches("#finding-").count(), 2);
    let nothing = page(&file, &right, &[]);
    assert!(nothing.contains("<h1>Nothing was found</h1>"), "{nothing}");
    std::fs::remove_file(&file).expect("our file");
    let files = || std::fs::read_dir(&folder).expect("our folder").count();
    let own = folder.join("report.%p.html").to_string_lossy().into_owned();
    track(&["--format", "html", "--log-path", &own], &right, &[]);
    assert_eq!(files(), 0);
    track(&["--format", "html", "--log-path", &own], &wrong, &[]);
    assert_eq!(files(), 2);
    // Without a path the page has the usual one, and a line says so.
    let ended = run(kref_track(&["--format", "html"]).arg(&wrong).current_dir(&folder));
    assert_eq!(
        (files(), ended.output.matches(".html has 1 report\n").count()),
        (4, 2),
        "{ended:?}"
    );
}

fn html_of_a_trace() {
    let trace = folder("html-trace").join("trace").to_string_lossy().into_owned();
    for arguments in [&[][..], &["the child first"]] {
        track(&["--trace", &trace], &program("tracker/reports/forked"), arguments);
        let report = &["--format", "html", "report", &trace];
        let page = printed(kref_track(report).current_dir(c_tests()));
        assert_eq!(
            (page.matches("<!DOCTYPE html>").count(), page.matches("#finding-").count()),
            (1, 2),
            "{arguments:?}"
        );
    }
}

/// Source lines are shown if the file is no newer than the program, and is a source file.
fn html_source_lines() {
    let folder = folder("html-sources");
    let source = folder.join("leak.c");
    let text = "#include <kref.h>\n#include <stdlib.h>\nstatic struct kref kref;\nint main(void)\n{\n\
                kref_init(&kref); /* the line */\nreturn 0;\n}\n";
    let file = folder.join("report.html");
    let program = folder.join("leak");
    for (name, is_shown) in [("leak.c", true), ("leak.key", false)] {
        std::fs::write(folder.join(name), text).expect("our file");
        let lib = format!("-Wl,-rpath,{}", Prefix::plain().lib().display());
        let flags = Prefix::plain().flags(&["--cflags", "--libs", "kref"]);
        let mut cc = Compiler::any().command();
        printed(
            cc.args(["-g", "-x", "c"])
                .arg(folder.join(name))
                .args(["-x", "none"])
                .args(flags)
                .arg(lib)
                .arg("-o")
                .arg(&program),
        );
        assert_eq!(page(&file, &program, &[]).contains("/* the line */"), is_shown, "{name}");
    }
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    std::fs::File::options()
        .write(true)
        .open(&source)
        .and_then(|it| it.set_modified(later))
        .expect("our file");
    assert!(!page(&file, &program, &[]).contains("/* the line */"));
}
