//! A stack on the page: its frames, with the source lines around each.

use serde_json::Value;

use crate::finding::{Stack, place, text};
use crate::markup::Markup;
use crate::sources::{Sources, around};

/// How many lines are shown before a frame's line, and as many behind it.
const AROUND: usize = 3;

/// Writes a stack. In the first one of a finding the source lines of the frame that is to blame are open, and those of its
/// caller, since the frame may be in a macro or a small function for all.
pub fn write(page: &mut Markup, sources: &Sources, stack: &Stack, is_first: bool) {
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

fn write_frame(page: &mut Markup, sources: &Sources, frame: &Value, is_open: bool) {
    let line = frame["line"].as_u64().unwrap_or(0) as usize;
    let lines = sources.lines(text(&frame["file"]), text(&frame["module"]));
    page.raw("<li>");
    if let Some(lines) = lines.filter(|lines| (1..=lines.len()).contains(&line)) {
        page.raw(if is_open { "<details open>" } else { "<details>" });
        page.raw("<summary class=\"frame\">").text(&place(frame)).raw("</summary>\n<pre>");
        for number in around(line, AROUND, lines.len()) {
            write_line(page, number, &lines[number - 1], number == line);
        }
        page.raw("</pre></details>");
    } else {
        page.raw("<span class=\"frame\">").text(&place(frame)).raw("</span>");
    }
    page.raw("</li>\n");
}

fn write_line(page: &mut Markup, number: usize, line: &str, is_here: bool) {
    let number = format!("{number:>5} ");
    page.raw(if is_here { "<mark>" } else { "" });
    page.raw("<span class=\"line\">").text(&number).raw("</span>").text(line);
    page.raw(if is_here { "</mark>\n" } else { "\n" });
}
