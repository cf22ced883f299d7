//! Reports as JSON, which is as the schema says, and as flame graphs.

use kref_c_tests::kref_track::track;
use kref_c_tests::{plain, project, scratch};
use libtest_mimic::Trial;
use serde_json::Value;

pub fn tests() -> Vec<Trial> {
    vec![
        plain("json-matches-the-schema", json),
        plain("flame-graph", flame_graph),
        plain("flame-graph-of-hostile-names", flame_graph_of_hostile_names),
    ]
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

pub fn schema() -> Value {
    let schema = std::fs::read(project().join("track/schema.json")).expect("the schema");
    serde_json::from_slice(&schema).expect("JSON")
}

/// Checks that the schema describes each member of `value`, and that `value` has all members of the
/// schema.
pub fn must_match(value: &Value, schema: &Value, root: &Value) {
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
