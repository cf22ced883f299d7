//! What track/schema.json, docs/trace.md and docs/reports.md say is what the code does.

use std::collections::BTreeSet;

use serde_json::Value;
use wire::record::{Event, Kind};

use super::Recorder;
use crate::misuse;
use crate::report::End;
use crate::trace;

const SCHEMA: &str = include_str!("../../schema.json");
const PAGE: &str = include_str!("../../../docs/trace.md");
const REPORTS: &str = include_str!("../../../docs/reports.md");

/// The definition that a schema refers to, or the schema.
fn resolved<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(name) => &root["$defs"][name.rsplit('/').next().expect("a name")],
        None => schema,
    }
}

/// The value has all members that the schema describes, and no others, and their types and texts are those of the
/// schema.
fn check(value: &Value, schema: &Value, root: &Value) {
    let schema = resolved(schema, root);
    if let Some(choices) = schema["oneOf"].as_array() {
        let own = choices.iter().find(|of| of["type"] != "null" || value.is_null());
        return check(value, own.expect("a choice"), root);
    }
    let name = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Null => "null",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
    };
    let is = |of: &Value| *of == name || name == "integer" && *of == "number";
    let of = &schema["type"];
    let is_known = match of.as_array() {
        Some(types) => types.iter().any(is),
        None => of.is_null() || is(of),
    };
    // A schema of an act may be null.
    assert!(is_known, "{value} is no {of}");
    let texts = schema["enum"].as_array();
    assert!(texts.is_none_or(|texts| texts.contains(value)), "{value} is not in {texts:?}");
    match value {
        Value::Object(members) => {
            let properties = schema["properties"].as_object().expect("members");
            let [known, found] = [properties, members].map(|of| of.keys().collect::<BTreeSet<_>>());
            assert_eq!(known, found);
            members.iter().for_each(|(name, member)| check(member, &properties[name], root));
        }
        Value::Array(items) => items.iter().for_each(|item| check(item, &schema["items"], root)),
        _ => {}
    }
}

/// A program that gives reason for each kind of report.
fn all_reports() -> String {
    let mut recorder = Recorder::new("format=json:object=1:stale_handles=1:stuck=1");
    let stack = recorder.stack(1, &[0x101, 0x201]);
    recorder.created(0x5000, stack, "session");
    recorder.got(0x5000, stack, "cache");
    recorder.created(0x6000, stack, "");
    recorder.put(0x6000, stack, "");
    recorder.released(0x6000, stack);
    recorder.put(0x6000, stack, "");
    recorder.put(0x5000, stack, "nobody");
    let sequence = recorder.number();
    let missed = Event { sequence, object: 0x9000, stack, ..Event::default() };
    recorder.event(Kind::Missed, missed, "");
    let sequence = recorder.number();
    recorder.event(Kind::Begins, Event { sequence, stack, ..Event::default() }, "");
    recorder.got(0x5000, stack, "cache");
    let sequence = recorder.number();
    recorder.event(Kind::Ends, Event { sequence, stack, ..Event::default() }, "");
    let sequence = recorder.number();
    let crash = Event { sequence, object: 0x6008, count: 11, stack, ..Event::default() };
    recorder.event(Kind::Crash, crash, "");
    let told = recorder.told();
    recorder.judge.look_at_releases();
    told + &recorder.told() + &recorder.ends(End::Left(None))
}

#[test]
fn each_report_is_as_the_schema_says() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let mut kinds = BTreeSet::new();
    for line in all_reports().lines() {
        let report: Value = serde_json::from_str(line).expect("JSON");
        let kind = report["kind"].as_str().expect("a kind").to_string();
        check(&report, &schema["$defs"][&kind], &schema);
        kinds.insert(kind);
    }
    let known = schema["oneOf"].as_array().expect("kinds").iter();
    let known = known.map(|of| resolved(of, &schema)["properties"]["kind"]["const"].as_str());
    let known: BTreeSet<_> = known.map(|kind| kind.expect("a kind").to_string()).collect();
    assert_eq!(kinds, known);
}

/// docs/trace.md has a row with the number of each kind of record, and no others.
#[test]
fn each_record_is_on_the_page() {
    let cells = |row: &'static str| row.trim_matches('|').split('|').map(str::trim);
    let rows = PAGE.lines().filter(|line| line.starts_with("| ")).map(|row| {
        let mut cells = cells(row);
        (cells.next().expect("a number"), cells.next().expect("a name"))
    });
    let found: BTreeSet<_> =
        rows.filter_map(|(number, name)| Some((parsed(number)?, name.to_string()))).collect();
    let mut known: BTreeSet<_> =
        (0..0x80).filter_map(|number| Some((number, format!("{:?}", Kind::of(number)?)))).collect();
    known.extend(trace::OWN.map(|(number, name)| (number, name.to_string())));
    assert_eq!(found, known);
    assert!(PAGE.contains(&format!("version {}", trace::VERSION)), "{PAGE}");
}

/// The schema has the name of each kind of misuse.
#[test]
fn each_kind_has_a_name() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let names = schema["$defs"]["misuse"]["properties"]["misuse"]["enum"].as_array();
    let names: BTreeSet<_> = names.expect("names").iter().filter_map(Value::as_str).collect();
    assert_eq!(names, misuse::Kind::ALL.iter().map(|kind| kind.name()).collect());
}

/// docs/reports.md has a row for each name of a misuse.
#[test]
fn each_misuse_is_on_the_page() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let names = schema["$defs"]["misuse"]["properties"]["misuse"]["enum"].as_array();
    for name in names.expect("names") {
        let name = format!("`{}`", name.as_str().expect("a name"));
        let has = |row: &str| row.split('|').nth(1).is_some_and(|cell| cell.contains(&name));
        assert!(REPORTS.lines().any(has), "docs/reports.md has no row {name}");
    }
}

fn parsed(number: &str) -> Option<u8> {
    match number.strip_prefix("0x") {
        Some(digits) => u8::from_str_radix(digits, 16).ok(),
        None => number.parse().ok(),
    }
}
