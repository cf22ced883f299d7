//! What documents say of references that are held.

use serde_json::Value;

use super::{Recorder, contains};

const OBJECTS: u64 = 20;

/// Objects that a wrapper at 0x800 takes for two callers, each of which gives its reference back by a wrapper at 0x900:
/// but the caller at 0x300 has no put on the last object.
fn a_missing_put(format: &str) -> String {
    let mut recorder = Recorder::new(format);
    let create = recorder.stack(1, &[0x101, 0xa01]);
    let [get, other_get] =
        [(2, 0x301), (3, 0x501)].map(|(n, by)| recorder.stack(n, &[0x801, by, 0xa01]));
    let [put, other_put, last] =
        [(4, 0x401), (5, 0x601), (6, 0x701)].map(|(n, by)| recorder.stack(n, &[0x901, by, 0xa01]));
    for number in 1..=OBJECTS {
        let object = 0x5000 + 64 * number;
        recorder.created(object, create, "session");
        recorder.got(object, get, "");
        if number < OBJECTS {
            recorder.put(object, put, "");
        }
        recorder.got(object, other_get, "");
        recorder.put(object, other_put, "");
        recorder.put(object, last, "");
        if number < OBJECTS {
            recorder.released(object, last);
        }
    }
    recorder.held()
}

/// One object with two references, of which a put gives back one.
fn one_of_two(format: &str) -> String {
    let mut recorder = Recorder::new(format);
    let [create, get, put] = [1, 2, 3].map(|n| recorder.stack(n, &[u64::from(n) << 8 | 1, 0xa01]));
    recorder.created(0x5000, create, "session");
    recorder.got(0x5000, get, "");
    recorder.put(0x5000, put, "");
    recorder.held()
}

fn result(log: &str) -> Value {
    let log: Value = serde_json::from_str(log).expect("JSON");
    log["runs"][0]["results"][0].clone()
}

/// The line that the text has, without its indentation.
fn line<'a>(text: &'a str, part: &str) -> &'a str {
    text.lines().find(|line| line.contains(part)).expect("a line").trim()
}

#[test]
fn a_missing_put_is_in_each_form() {
    let usual = "usually given back at +0x400 (19 times)";
    contains(&a_missing_put(""), &[usual]);
    let page = a_missing_put("format=html");
    contains(&page, &[usual, "given back here:</p>", "<td class=\"frame\">+0x300</td>"]);
    let result = result(&a_missing_put("format=sarif"));
    contains(result["message"]["text"].as_str().expect("a text"), &[usual]);
    contains(&result["relatedLocations"].to_string(), &["given back here"]);
}

#[test]
fn a_rival_is_in_each_form() {
    let told = one_of_two("");
    let rival = line(&told, "One of these two: this reference, or ");
    let of_page = rival.replace('\'', "&apos;");
    contains(&one_of_two("format=html"), &[&of_page, "the other reference, taken here:</p>"]);
    let result = result(&one_of_two("format=sarif"));
    contains(result["message"]["text"].as_str().expect("a text"), &[rival]);
    contains(&result["relatedLocations"].to_string(), &["the other reference, taken here"]);
}

/// Each report has the seed of its run, also a misuse, after which nothing may be held.
#[test]
fn a_seed_is_in_each_form() {
    let told = |options: &str| {
        let mut recorder = Recorder::new(options);
        recorder.created(0x5000, 0, "session");
        recorder.put(0x5000, 0, "nobody");
        recorder.told() + &recorder.held()
    };
    let reports = told("format=json:seed=42");
    for report in reports.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")) {
        assert_eq!(report["seed"], 42, "{report}");
    }
    assert_eq!(reports.lines().count(), 2);
    contains(&told("format=html:seed=42"), &["<p>Found with --chaos; ", ": --seed 42</p>"]);
    let log: Value = serde_json::from_str(&told("format=sarif:seed=42")).expect("JSON");
    assert_eq!(log["runs"][0]["properties"]["seed"], 42);
    for format in ["json", "html", "sarif"] {
        let told = told(&format!("format={format}"));
        assert!(!told.contains("--seed") && !told.contains("\"seed\":42"), "{told}");
    }
}
