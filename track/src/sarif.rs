//! format=sarif: SARIF 2.1.0, which CI systems show beside the source lines. One run, a rule for each kind of finding,
//! and a result for each finding: the same finding of several processes is one result.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::documents::Document;
use crate::finding::{Finding, Section, Stack, sections, text};
use crate::misuse::Kind;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
const INFORMATION: &str = "docs/reports.md of libkref says what to look for";
/// The name of the directory from which relative paths begin. CI systems take it for the root of the source.
const ROOT: &str = "%SRCROOT%";
/// A result is found again by what it hashes, and by which of those with the same hash it is.
const FINGERPRINT: &str = "krefTrackStack/v1";

/// What is not a misuse.
const RULES: [(&str, &str); 5] = [
    ("leak", "references that nobody gave back"),
    ("crash", "a fatal signal"),
    ("balance", "references that a region left behind"),
    ("stuck", "a release function that does not return, or a mutex that it left locked"),
    ("stale-handles", "lookups by handle that found no object"),
];

/// The log of these reports. `here`: the directory from which the names of source files begin.
pub fn document(document: &Document, here: &Path) -> String {
    let all: Vec<Section> =
        document.reports.iter().flat_map(|report| sections(&report.value)).collect();
    let mut log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "kref-track",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules().collect::<Vec<_>>(),
            }},
            "originalUriBaseIds": { ROOT: { "uri": format!("{}/", uri(&here.to_string_lossy())) }},
            "columnKind": "utf16CodeUnits",
            "results": results(&all),
        }],
    });
    if document.left_out > 0 {
        log["runs"][0]["properties"]["leftOut"] = document.left_out.into();
    }
    if let Some(seed) = document.seed() {
        log["runs"][0]["properties"]["seed"] = seed.into();
    }
    format!("{log:#}\n")
}

fn rules() -> impl Iterator<Item = Value> {
    let misuse = Kind::ALL.iter().map(|kind| (kind.name(), kind.sentence(), kind.is_note()));
    let others = RULES.iter().map(|&(id, what)| (id, what, id == "stale-handles"));
    misuse.chain(others).map(|(id, what, is_note)| {
        let what = what.strip_prefix("note: ").unwrap_or(what);
        json!({
            "id": id,
            "shortDescription": { "text": message(what) },
            "fullDescription": { "text": message(what) },
            "help": { "text": format!("{}; {INFORMATION}.", message(what)) },
            "defaultConfiguration": { "level": if is_note { "note" } else { "error" } },
        })
    })
}

fn results(all: &[Section]) -> Vec<Value> {
    let rules: Vec<_> = rules().collect();
    let mut results: Vec<Value> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut alike: HashMap<u64, Vec<(Vec<u64>, usize)>> = HashMap::new();
    for section in all {
        for finding in &section.findings {
            let place = finding.stacks.first().map_or(&[][..], |stack| stack.frames);
            let lines: Vec<u64> =
                place.iter().map(|frame| frame["line"].as_u64().unwrap_or(0)).collect();
            let hash = hash(finding);
            if let Some(&at) = known.get(&format!("{hash} {lines:?}")) {
                let count = results[at]["occurrenceCount"].as_u64().unwrap_or(1);
                results[at]["occurrenceCount"] = (count + 1).into();
                continue;
            }
            known.insert(format!("{hash} {lines:?}"), results.len());
            alike.entry(hash).or_default().push((lines, results.len()));
            let mut result = result(section, finding);
            if let Some(at) = rules.iter().position(|rule| rule["id"] == finding.rule) {
                result["ruleIndex"] = at.into();
            }
            results.push(result);
        }
    }
    for (hash, mut findings) in alike {
        findings.sort();
        for ((_, at), ordinal) in findings.into_iter().zip(1..) {
            results[at]["partialFingerprints"] =
                json!({ FINGERPRINT: format!("{hash:016x}:{ordinal}") });
        }
    }
    results
}

/// The rule, the type, the holder, and the functions and files of the stack: no lines, which change with each edit, no
/// folders, addresses and times. FNV-1a, which is the same in each version.
fn hash(finding: &Finding) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut add = |part: &str| {
        for byte in part.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    };
    // A type without a name has that of the place where its objects are created: function, file and line.
    let of = finding.of.trim_end_matches(|c: char| c.is_ascii_digit() || c == ':');
    [finding.rule, of, finding.holder].into_iter().for_each(&mut add);
    for frame in finding.stacks.first().map_or(&[][..], |stack| stack.frames) {
        let file = text(&frame["file"]);
        add(text(&frame["function"]));
        add(file.rsplit('/').next().unwrap_or(file));
    }
    hash
}

fn result(section: &Section, finding: &Finding) -> Value {
    let mut what = finding.what.clone();
    for note in finding.reasons.iter().chain(&section.notes) {
        what += ". ";
        what += note.trim_end_matches('.');
    }
    let place = finding.stacks.first().and_then(|stack| stack.place());
    let others = finding.stacks.iter().skip(1).zip(1..);
    let related = others.filter_map(|(stack, id)| {
        let mut related = location(stack.place()?, &stack.what)?;
        related["id"] = id.into();
        Some(related)
    });
    json!({
        "ruleId": finding.rule,
        "level": finding.level.name(),
        "message": { "text": message(&what) },
        "locations": place.and_then(|frame| location(frame, "")).into_iter().collect::<Vec<_>>(),
        "relatedLocations": related.collect::<Vec<_>>(),
        "codeFlows": finding.stacks.iter().filter_map(flow).collect::<Vec<_>>(),
        "occurrenceCount": 1,
        "properties": {
            "type": finding.of,
            "holder": finding.holder,
            "references": finding.counts.0,
            "objects": finding.counts.1,
        },
    })
}

/// A stack as a way through the source, the outermost function first.
fn flow(stack: &Stack) -> Option<Value> {
    let places = stack.frames.iter().rev();
    let places = places.filter_map(|frame| location(frame, text(&frame["function"])));
    let steps: Vec<_> = places.map(|place| json!({ "location": place })).collect();
    let flow = json!({
        "message": { "text": message(&stack.what) },
        "threadFlows": [{ "locations": steps }],
    });
    (!steps.is_empty()).then_some(flow)
}

/// Where a frame is: its line in a source file; without debug information, the program or the library. Code that is in no
/// file, because the program made it while it ran, has neither. `None`: nothing at all is known of the frame.
fn location(frame: &Value, what: &str) -> Option<Value> {
    let [file, module] = ["file", "module"].map(|key| text(&frame[key]));
    let path = if file.is_empty() { module } else { file };
    let mut location = json!({});
    if !path.is_empty() {
        location["physicalLocation"]["artifactLocation"]["uri"] = uri(path).into();
    }
    if !file.is_empty() {
        let place = &mut location["physicalLocation"];
        if !file.starts_with('/') {
            place["artifactLocation"]["uriBaseId"] = ROOT.into();
        }
        if let Some(line) = frame["line"].as_u64().filter(|&line| line > 0) {
            place["region"] = json!({ "startLine": line });
        }
    }
    if !text(&frame["function"]).is_empty() {
        location["logicalLocations"] =
            json!([{ "fullyQualifiedName": frame["function"], "kind": "function" }]);
    }
    if !what.is_empty() {
        location["message"] = json!({ "text": message(what) });
    }
    (location != json!({})).then_some(location)
}

/// A path as a URI: relative if the path is.
fn uri(path: &str) -> String {
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte.into());
            }
            _ => uri += &format!("%{byte:02X}"),
        }
    }
    uri
}

/// A text in which SARIF sees no link and no place for an argument.
fn message(text: &str) -> String {
    let mut message = String::new();
    for c in text.chars() {
        match c {
            '[' | ']' | '\\' => message.extend(['\\', c]),
            '{' | '}' => message.extend([c, c]),
            c => message.push(c),
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{location, message, uri};

    #[test]
    fn a_frame_in_no_file_has_no_place() {
        let module =
            location(&json!({ "module": "/usr/bin/a", "file": null }), "").expect("a place");
        assert_eq!(module["physicalLocation"]["artifactLocation"]["uri"], "file:///usr/bin/a");
        assert!(
            location(&json!({ "module": null, "file": null, "offset": "0x1234" }), "").is_none()
        );
    }

    #[test]
    fn paths_are_uris() {
        assert_eq!(uri("src/a b.c"), "src/a%20b.c");
        assert_eq!(uri("/usr/src/c++.cc"), "file:///usr/src/c%2B%2B.cc");
        assert_eq!(uri("javascript:alert(1)"), "javascript%3Aalert%281%29");
    }

    #[test]
    fn a_name_is_no_link() {
        assert_eq!(message(r"[x](http://y) {0} \"), r"\[x\](http://y) {{0}} \\");
    }
}
