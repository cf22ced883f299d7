//! The life of the object that object=N names: the count over the time, and each get and put.

use serde_json::Value;

use super::stacks;
use crate::documents::Document;
use crate::finding::{Stack, place, text, thread};
use crate::markup::{Drawing, Markup};
use crate::sources::Sources;

/// The picture has these coordinates, and is as wide as the page.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 120.0;

/// Writes the section, if events were kept.
pub fn write(page: &mut Markup, sources: &Sources, document: &Document) {
    let Some(first) = document.events.first() else { return };
    let begun = seconds(first);
    page.raw("<section id=\"life\">\n<h2>The life of object #").number(count(&first["object"]));
    page.raw("</h2>\n");
    let all: Vec<&Value> = document.events.iter().chain(&document.last_events).collect();
    page.drawing(&drawing(&all));
    page.raw("<ol class=\"life\">\n");
    for event in &document.events {
        one(page, sources, event, begun);
    }
    if document.skipped > 0 {
        page.raw("<li>").number(document.skipped).raw(" more events, which were not kept</li>\n");
    }
    for event in &document.last_events {
        one(page, sources, event, begun);
    }
    page.raw("</ol>\n</section>\n");
}

fn one(page: &mut Markup, sources: &Sources, event: &Value, begun: f64) {
    let holder = match text(&event["holder"]) {
        "" => String::new(),
        name => format!(" by \"{name}\""),
    };
    let what = format!(
        "+{:.3} ms: {}{holder}, count {}, {}",
        (seconds(event) - begun) * 1e3,
        text(&event["act"]),
        count(&event["count"]),
        thread(&event["thread"])
    );
    let stack = Stack::new("the stack", &event["stack"]);
    page.raw("<li class=\"");
    page.text(text(&event["act"])).raw("\"><details><summary>").text(&what);
    if let Some(frame) = stack.place() {
        page.raw(": <span class=\"frame\">").text(&place(frame)).raw("</span>");
    }
    page.raw("</summary>\n");
    stacks::write(page, sources, &stack, false);
    page.raw("</details></li>\n");
}

/// The count as a line of steps.
fn drawing(events: &[&Value]) -> Drawing {
    let ends = events.first().zip(events.last());
    let (begun, ended) = ends.map_or((0.0, 0.0), |(first, last)| (seconds(first), seconds(last)));
    let highest = events.iter().map(|event| count(&event["count"])).max().unwrap_or(0).max(1);
    let x = |event: &Value| (seconds(event) - begun) / (ended - begun).max(1e-9) * WIDTH;
    let y = |count: u64| HEIGHT - 2.0 - count as f64 / highest as f64 * (HEIGHT - 4.0);
    let (mut path, mut before) = (String::new(), y(0));
    for event in events {
        let (x, now) = (x(event), y(count(&event["count"])));
        path += &format!("{x:.2},{before:.2} {x:.2},{now:.2} ");
        before = now;
    }
    Drawing::new(format!(
        "<svg class=\"count\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"The count over the time; at most {highest}\">\
         <polyline points=\"{path}\"/></svg>\n"
    ))
}

fn seconds(event: &Value) -> f64 {
    event["time"].as_f64().unwrap_or(0.0)
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}
