//! A flame graph of the references that are held, by stack.

use std::fmt::Write as _;

use crate::leaks::Leaks;
use crate::{output, stacks, text};

/// Draws it into `path`.
pub fn write(leaks: &Leaks, path: &str) {
    let lines = lines(leaks);
    let mut options = inferno::flamegraph::Options::default();
    options.title = "References that are held, by the stack that took them".to_string();
    options.count_name = "references".to_string();
    options.name_type = "Place:".to_string();
    let mut drawing = Vec::new();
    let lines: Vec<&str> = lines.lines().collect();
    if lines.is_empty() {
        return;
    }
    let drawn = inferno::flamegraph::from_lines(&mut options, lines, &mut drawing);
    let written = drawn
        .map_err(|error| error.to_string())
        .and_then(|()| std::fs::write(path, drawing).map_err(|error| error.to_string()));
    if let Err(error) = written {
        output::say(&format!("{path}: {error}"));
    }
}

/// Folded: the type, the frames from the outermost, the holder; then how many.
fn lines(leaks: &Leaks) -> String {
    let mut lines = String::new();
    for of in &leaks.types {
        for held in &of.held {
            let _ = write!(lines, "{}", clean(&of.name));
            let frames = stacks::get(held.stack).map_or(&[][..], |stack| &stack.frames);
            for frame in frames.iter().rev() {
                let _ = write!(lines, ";{}", clean(&text::place(frame)));
            }
            if let Some(holder) = held.holder {
                let _ = write!(lines, ";\"{}\"", clean(holder));
            }
            let _ = writeln!(lines, " {}", held.count);
        }
    }
    lines
}

fn clean(text: &str) -> String {
    text.replace([';', '\n'], " ")
}
