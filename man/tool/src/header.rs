//! Reads a header: its sections, and in each section its entries, a comment and what the comment is about.

use crate::declaration::{self, Declaration};
use crate::text::{Block, blocks, stripped};

/// A header.
#[derive(Debug)]
pub struct Header {
    /// The name in `#include <kref/slot.h>`.
    pub name: String,
    /// The words after the name in the first line.
    pub title: String,
    /// The sections. The first one has the header's first comment, the others begin with a comment that has a line
    /// of hyphens.
    pub sections: Vec<Section>,
}

/// A section of a header.
#[derive(Debug, Default)]
pub struct Section {
    /// The heading. That of the first section is empty.
    pub title: String,
    /// What the section's first comment says.
    pub text: Vec<Block>,
    /// What the section declares.
    pub entries: Vec<Entry>,
}

/// A comment, and the declarations that it is about.
#[derive(Debug, Default)]
pub struct Entry {
    /// What the comment says, without its fields.
    pub text: Vec<Block>,
    /// The fields, such as `Returns`, and what they say.
    pub fields: Vec<(String, String)>,
    /// The declarations.
    pub declarations: Vec<Declaration>,
}

impl Header {
    /// Reads a header.
    pub fn read(name: &str, text: &str) -> Self {
        let mut reader = Reader { rest: text, ..Reader::default() };
        reader.sections.push(Section::default());
        while reader.next() {}
        let mut header =
            Self { name: name.into(), title: String::new(), sections: reader.sections };
        let first = &mut header.sections[0];
        if let Some(Block::Paragraph(line)) = first.text.first().cloned() {
            // `kref.h - title. More.`, or `<linux/kref.h> for userspace: more`
            let title = line.split_once(" - ").map_or(&*line, |(_, title)| title);
            let end = title.find(". ").or(title.find(": ").filter(|_| title.starts_with('<')));
            header.title = title[..end.unwrap_or(title.len())].trim_end_matches('.').into();
            first.text.remove(0);
        }
        first
            .text
            .retain(|block| !matches!(block, Block::Paragraph(line) if line.starts_with("SPDX")));
        header
    }

    /// All entries.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.sections.iter().flat_map(|section| &section.entries)
    }
}

#[derive(Default)]
struct Reader<'a> {
    rest: &'a str,
    sections: Vec<Section>,
    comment: Option<&'a str>,
    opened: bool,
}

impl<'a> Reader<'a> {
    /// Reads a comment, a directive or a declaration. False at the end.
    fn next(&mut self) -> bool {
        let blank = self.rest.len() - self.rest.trim_start().len();
        let apart = self.rest[..blank].matches('\n').count() > 1;
        self.rest = &self.rest[blank..];
        if self.rest.starts_with("/*") {
            let comment = self.take(self.rest.find("*/").map_or(self.rest.len(), |end| end + 2));
            self.remember(comment);
        } else if self.rest.starts_with('#') {
            let directive = self.take(line_end(self.rest));
            // A comment before `#if` is about the condition.
            if directive.starts_with("#if") {
                self.comment = None;
            }
            if let Some(declaration) = declaration::defined(directive) {
                self.declare(declaration, apart);
            }
        } else if self.rest.starts_with("extern \"C\"") {
            self.take(self.rest.find('{').map_or(self.rest.len(), |at| at + 1));
        } else if self.rest.starts_with('}') {
            self.take(1);
        } else if !self.rest.is_empty() {
            let code = self.take(declaration::end(self.rest));
            if let Some(declaration) = declaration::declared(code) {
                self.declare(declaration, true);
            }
        }
        !self.rest.is_empty()
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    /// A comment begins the header, begins a section, or is about the next declaration.
    fn remember(&mut self, comment: &'a str) {
        if comment.contains("----------") {
            let words = stripped(comment);
            let mut lines =
                words.lines().filter(|line| line.is_empty() || !line.trim_matches('-').is_empty());
            let title = lines.next().unwrap_or_default().into();
            let text = blocks(&lines.collect::<Vec<_>>().join("\n"));
            self.sections.push(Section { title, text, entries: Vec::new() });
            self.comment = None;
        } else if !self.opened {
            self.sections[0].text = blocks(&stripped(comment));
        } else {
            self.comment = Some(comment);
        }
        self.opened = true;
    }

    /// `apart`: a blank line stands before the declaration, so that the comment of the one before is not about it.
    fn declare(&mut self, declaration: Declaration, apart: bool) {
        let entries = &mut self.sections.last_mut().expect("the first section").entries;
        match self.comment.take() {
            None if !apart && !entries.is_empty() => {}
            comment => entries.push(entry(comment.unwrap_or_default())),
        }
        entries.last_mut().expect("pushed").declarations.push(declaration);
    }
}

/// An entry without declarations.
fn entry(comment: &str) -> Entry {
    let text = stripped(comment);
    let mut entry = Entry::default();
    let mut words = String::new();
    for line in text.lines() {
        let goes_on = line.starts_with(' ') && words.is_empty();
        match (field(line), entry.fields.last_mut()) {
            (Some((name, value)), _) => {
                entry.text.extend(blocks(&words));
                words.clear();
                entry.fields.push((name.into(), value.into()));
            }
            (None, Some((_, value))) if goes_on => {
                value.push(' ');
                value.push_str(line.trim());
            }
            _ => words += &format!("{line}\n"),
        }
    }
    entry.text.extend(blocks(&words));
    entry
}

/// `Range:    any kref.`
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let known = ["Range", "Misuse", "Ordering", "Threads", "Returns", "Defined"];
    known.contains(&name).then_some((name, value.trim()))
}

/// The end of a directive, which a backslash continues.
fn line_end(text: &str) -> usize {
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        end += line.len();
        if !line.trim_end().ends_with('\\') {
            break;
        }
    }
    end - usize::from(text[..end].ends_with('\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"/*
 * a.h - a title
 *
 * SPDX-License-Identifier: MIT
 *
 * What it is.
 */
#ifndef A_H
#define A_H
#ifdef __cplusplus
extern "C" {
#endif
/* ------------------
 * Gets
 *
 * About gets.
 * ---------------- */

/** A thing. */
enum thing {
    /** The first. */
    A_FIRST = 1,
    /** The second, of
     *  two lines. */
    A_SECOND
};

/**
 * Take one.
 *
 *     a_get(a);
 *
 * Range:    any a,
 *           or none.
 * Returns:  1.
 */
KREF_MUST_USE int a_get(struct a *a,
                        void (*f)(int)) KREF_NONNULL;

/* Two. */
#define A_ONE 1
#define A_TWO(n) { \
    n }

KREF_STATIC int a_put(struct a *a)
{
    return a_get(a, 0);
}
"#;

    #[test]
    fn a_header_is_read() {
        let header = Header::read("a.h", TEXT);
        assert_eq!(header.title, "a title");
        assert_eq!(header.sections[0].text, blocks("What it is."));
        let section = &header.sections[1];
        assert_eq!((&*section.title, section.text.len()), ("Gets", 1));
        let all: Vec<_> = header.entries().flat_map(|entry| &entry.declarations).collect();
        let names: Vec<_> = all.iter().map(|found| (&*found.name, found.kind)).collect();
        use crate::declaration::Kind::{Function, Inlined, Macro, Type};
        let wanted = [("thing", Type), ("a_get", Function), ("A_ONE", Macro), ("A_TWO", Macro)];
        assert_eq!(names[..4], wanted);
        assert_eq!(names[4..], [("a_put", Inlined)]);
        let second = ("A_SECOND".to_string(), "The second, of two lines.".to_string());
        assert_eq!(all[0].members[1], second);
        assert_eq!(all[1].code, "int a_get(struct a *a, void (*f)(int));");
        assert_eq!(all[3].code, "A_TWO(n);");
        let get = &section.entries[1];
        assert_eq!(get.fields[0], ("Range".to_string(), "any a, or none.".to_string()));
        assert_eq!(get.text, blocks("Take one.\n\n    a_get(a);"));
        assert_eq!(section.entries[2].declarations.len(), 2);
    }
}
