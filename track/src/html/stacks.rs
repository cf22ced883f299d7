//! A stack on the page: its frames, with the source lines around each.

use serde_json::Value;

use super::sources::{Line, Sources};
use crate::finding::{Stack, place, text};
use crate::markup::Markup;

/// Writes a stack. In the first one of a finding the source lines of the frame that is to blame are open, and those of its
/// caller, since the frame may be in a macro or a small function for all.
pub fn write(page: &mut Markup, sources: &mut Sources, stack: &Stack, is_first: bool) {
    page.raw("<p class=\"what\">").text(&stack.what).raw(":</p>\n<ol class=\"stack\">\n");
    if stack.frames.is_empty() {
        page.raw("<li>(stack not recorded)</li>\n");
    }
    let blamed = stack.place().filter(|_| is_first);
    let blamed =
        stack.frames.iter().position(|frame| blamed.is_some_and(|it| std::ptr::eq(it, frame)));
    for (at, frame) in stack.frames.iter().enumerate() {
        let is_open = blamed.is_some_and(|blamed| (blamed..=blamed + 1).contains(&at));
        write_frame(page, sources, frame, is_open);
    }
    page.raw("</ol>\n");
}

fn write_frame(page: &mut Markup, sources: &mut Sources, frame: &Value, is_open: bool) {
    let line = frame["line"].as_u64().unwrap_or(0) as usize;
    let lines = sources.around(text(&frame["file"]), line, text(&frame["module"]));
    page.raw("<li>");
    if lines.is_empty() {
        page.raw("<span class=\"frame\">").text(&place(frame)).raw("</span>");
    } else {
        page.raw(if is_open { "<details open>" } else { "<details>" });
        page.raw("<summary class=\"frame\">").text(&place(frame)).raw("</summary>\n<pre>");
        lines.iter().for_each(|line| write_line(page, *line));
        page.raw("</pre></details>");
    }
    page.raw("</li>\n");
}

fn write_line(page: &mut Markup, (number, line, is_here): Line) {
    let number = format!("{number:>5} ");
    page.raw(if is_here { "<mark>" } else { "" });
    page.raw("<span class=\"line\">").text(&number).raw("</span>").text(line);
    page.raw(if is_here { "</mark>\n" } else { "\n" });
}
