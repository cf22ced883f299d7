//! Writes text in the man macros of roff, as man(7) and mandoc describe them.

use std::collections::BTreeSet;

use crate::names::Index;
use crate::text::{Block, Span, spans, word_end};

/// A man page that is being written.
#[derive(Debug)]
pub struct Page<'a> {
    /// Its name, `kref_init`.
    pub name: &'a str,
    /// What is written so far.
    pub text: String,
    /// The pages that the text names: `kref_get(3)`.
    pub named: BTreeSet<(char, String)>,
    index: &'a Index,
    /// Whether the last block was a heading, after which no paragraph macro may stand.
    fresh: bool,
}

/// The pages of others that ours name.
const OTHERS: &[(&str, &[&str])] = &[
    ("2", &["clone", "fork", "membarrier", "rseq", "signal"]),
    ("3", &["abort", "free", "longjmp", "malloc", "thrd_create"]),
];

impl<'a> Page<'a> {
    /// Begins a page: `name` and `section`, and the volume that the section is.
    pub fn new(name: &'a str, section: char, index: &'a Index, version: &str, date: &str) -> Self {
        let volume = match section {
            '1' => "User Commands",
            '3' => "Library Functions Manual",
            _ => "Miscellaneous Information Manual",
        };
        let text = format!(
            ".\\\" SPDX-License-Identifier: MIT OR Apache-2.0\n\
             .\\\" Made by `make man` from the headers, docs/ and the help of kref-track. Edit there.\n\
             .TH {} {section} {date} \"libkref {version}\" \"{volume}\"\n\
             .nh\n\
             .ad l\n",
            escaped(name)
        );
        Self { name, text, named: BTreeSet::new(), index, fresh: false }
    }

    /// `.SH`
    pub fn section(&mut self, title: &str) {
        self.text += &format!(".SH {title}\n");
        self.fresh = true;
    }

    /// `.SS`
    pub fn subsection(&mut self, title: &str) {
        let title = self.marked(title);
        self.text += &format!(".SS \"{title}\"\n");
        self.fresh = true;
    }

    /// The line after `.SH NAME`.
    pub fn names(&mut self, names: &[&str], title: &str) {
        let names: Vec<_> = names.iter().map(|name| escaped(name)).collect();
        self.lines(&format!("{} \\- {}", names.join(", "), escaped(title)));
    }

    /// A paragraph.
    pub fn paragraph(&mut self, words: &str) {
        self.apart();
        let marked = self.marked(words);
        self.lines(&marked);
    }

    /// A paragraph with a tag before it.
    pub fn tagged(&mut self, tag: &str, words: &str) {
        self.text += &format!(".TP\n{}\n", guarded(tag));
        let marked = self.marked(words);
        self.lines(&marked);
        self.fresh = false;
    }

    /// Lines of code.
    pub fn code(&mut self, code: &str) {
        self.apart();
        self.text += ".RS 4\n.nf\n";
        for line in code.lines() {
            self.text += &format!("{}\n", guarded(&verbatim(line)));
        }
        self.text += ".fi\n.RE\n";
    }

    /// Lines that are marked already, as they are.
    pub fn synopsis(&mut self, lines: &[String]) {
        self.apart();
        self.text += ".nf\n";
        for line in lines {
            self.text += &format!("{line}\n");
        }
        self.text += ".fi\n";
    }

    /// Blocks of text. A heading becomes `.SS`.
    pub fn blocks(&mut self, blocks: &[Block]) {
        for block in blocks {
            match block {
                Block::Heading(_, words) => self.subsection(words),
                Block::Paragraph(words) => self.paragraph(words),
                Block::Code(code) => self.code(code),
                Block::Item(mark, words) => {
                    let (mark, width) =
                        if mark.ends_with('.') { (&**mark, 3) } else { ("\\(bu", 2) };
                    self.text += &format!(".IP {mark} {width}\n");
                    let marked = self.marked(words);
                    self.lines(&marked);
                    self.fresh = false;
                }
                Block::Term(term, words) => self.tagged(&bold(term), words),
                Block::Table(rows) => self.table(rows),
            }
        }
    }

    /// A row becomes a tagged paragraph: the first cell is the tag. With more than two columns, each other cell
    /// stands behind the heading of its column.
    fn table(&mut self, rows: &[Vec<String>]) {
        let (heading, rows) = rows.split_first().expect("a table has a heading");
        for row in rows {
            let first = row.iter().position(|cell| !cell.is_empty()).unwrap_or(0);
            let cells =
                row.iter().zip(heading).skip(first + 1).filter(|(cell, _)| !cell.is_empty());
            let words: Vec<String> = cells
                .map(|(cell, heading)| match &**heading {
                    "" => cell.clone(),
                    _ if row.len() == 2 => cell.clone(),
                    heading => format!("{heading}: {cell}"),
                })
                .collect();
            let tag = self.marked(&row[first]);
            self.tagged(&tag, &words.join("; "));
        }
    }

    /// A paragraph macro, unless a heading stands before.
    fn apart(&mut self) {
        if !std::mem::take(&mut self.fresh) {
            self.text += ".PP\n";
        }
    }

    /// Text of several lines, each short enough to read.
    fn lines(&mut self, marked: &str) {
        let mut line = String::new();
        for word in marked.split_whitespace() {
            if !line.is_empty() && line.len() + word.len() > 78 {
                self.text += &format!("{}\n", guarded(&line));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line += word;
        }
        self.text += &format!("{}\n", guarded(&line));
    }

    /// Words, with the names in them in bold, and `(3)` behind a function of another page.
    pub fn marked(&mut self, words: &str) -> String {
        let mut text = String::new();
        for span in spans(words) {
            match span {
                Span::Code(code) => match code.strip_suffix("()") {
                    Some(name) if word_end(name) == name.len() => text += &self.function(name),
                    _ => text += &bold(code),
                },
                Span::Strong(words) => text += &bold(words),
                Span::Words(words) => text += &self.with_names(words),
            }
        }
        text
    }

    fn with_names(&mut self, words: &str) -> String {
        let (mut text, mut rest) = (String::new(), words);
        while !rest.is_empty() {
            let word = &rest[..word_end(rest)];
            if word.is_empty() {
                let next = rest.chars().next().expect("not empty");
                let begins_a_word = text.is_empty() || text.ends_with([' ', '(', '"']);
                let letter = &rest[..next.len_utf8()];
                text += &if next == '-' && begins_a_word { "\\-".into() } else { escaped(letter) };
                rest = &rest[next.len_utf8()..];
                continue;
            }
            rest = &rest[word.len()..];
            match rest.strip_prefix("()") {
                Some(after) => {
                    text += &self.function(word);
                    rest = after;
                }
                None if self.index.pages.contains_key(word) && word != "kref" => {
                    self.name_page_of(word);
                    text += &bold(word);
                }
                None => text += &escaped(word),
            }
        }
        text
    }

    /// A function's name as text has it.
    fn function(&mut self, name: &str) -> String {
        let other = OTHERS.iter().find(|(_, names)| names.contains(&name));
        let other = other.map(|(section, _)| *section);
        let other = other.or(name.starts_with("pthread_").then_some("3"));
        match self.index.pages.get(name) {
            Some(page) if page != self.name => {
                self.name_page_of(name);
                format!("{}(3)", bold(name))
            }
            None if other.is_some() => format!("{}({})", bold(name), other.unwrap_or_default()),
            _ => format!("{}()", bold(name)),
        }
    }

    fn name_page_of(&mut self, name: &str) {
        let page = &self.index.pages[name];
        if page != self.name {
            self.named.insert(('3', page.clone()));
        }
    }

    /// The last section: the pages that the text names, and these.
    pub fn see_also(&mut self, others: &[(char, &str)]) {
        let others = others.iter().map(|(section, name)| (*section, name.to_string()));
        self.named.extend(others);
        let named: Vec<_> =
            self.named.iter().map(|(section, name)| format!("{}({section})", bold(name))).collect();
        self.section("SEE ALSO");
        self.fresh = false;
        let line = named.join(", ");
        self.lines(&line);
    }
}

/// In bold.
pub fn bold(words: &str) -> String {
    format!("\\fB{}\\fR", verbatim(words))
}

/// Words in which a hyphen stays one.
fn escaped(words: &str) -> String {
    words.replace('\\', "\\e").replace('"', "\\(dq")
}

/// Code: ASCII characters that roff would make others stay as they are.
pub fn verbatim(code: &str) -> String {
    let mut text = String::new();
    for letter in code.chars() {
        match letter {
            '\\' => text += "\\e",
            '-' => text += "\\-",
            '\'' => text += "\\(aq",
            '`' => text += "\\(ga",
            '^' => text += "\\(ha",
            '~' => text += "\\(ti",
            '"' => text += "\\(dq",
            _ => text.push(letter),
        }
    }
    text
}

/// A line that begins with a dot or an apostrophe would be a request.
fn guarded(line: &str) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.into() }
}
