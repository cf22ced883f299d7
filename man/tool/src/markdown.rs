//! Writes the text of a header's comment in Markdown, with links for the names of libkref.

use std::fmt::Write;

use crate::names::Index;
use crate::text::{Block, word_end};

/// Where a page finds the names.
#[derive(Clone, Copy, Debug)]
pub struct Links<'a> {
    /// From the page to the site's folder: `../`.
    up: &'a str,
    index: Option<&'a Index>,
}

impl<'a> Links<'a> {
    /// For a page that reaches the site's folder by `up`.
    pub fn new(up: &'a str, index: &'a Index) -> Self {
        Self { up, index: Some(index) }
    }

    /// For a heading, which has no links.
    pub fn none(other: &Self) -> Self {
        Self { index: None, ..*other }
    }

    /// Code, and a link if it begins with a public name.
    pub fn code(&self, code: &str) -> String {
        let name = &code[..word_end(code)];
        let whole = code.len() == name.len() || code[name.len()..].starts_with('(');
        let page = self.index.and_then(|index| index.headers.get(name)).filter(|_| whole);
        match page {
            // "kref" in a text is the library, or a variable.
            Some(page) if name != "kref" => format!("[`{code}`]({}{page}#{name})", self.up),
            _ => format!("`{code}`"),
        }
    }
}

/// Blocks of text.
pub fn blocks(blocks: &[Block], links: &Links) -> String {
    let mut text = String::new();
    let mut in_list = false;
    for block in blocks {
        let item = matches!(block, Block::Item(..) | Block::Term(..));
        if in_list && !item {
            text += "\n";
        }
        in_list = item;
        match block {
            Block::Heading(_, words) => write!(text, "**{}**\n\n", marked(words, links)),
            Block::Paragraph(words) => write!(text, "{}\n\n", marked(words, links)),
            Block::Code(code) => write!(text, "```c\n{code}\n```\n\n"),
            Block::Item(mark, words) => writeln!(text, "{mark} {}", marked(words, links)),
            Block::Term(term, words) => writeln!(text, "- **{term}**: {}", marked(words, links)),
            Block::Table(_) => unreachable!("a comment has no table"),
        }
        .expect("a String can be written");
    }
    if in_list {
        text += "\n";
    }
    text
}

/// Words in which names are code.
pub fn marked(words: &str, links: &Links) -> String {
    let (mut text, mut rest) = (String::new(), words);
    while let Some(next) = rest.chars().next() {
        let word = &rest[..word_end(rest)];
        rest = &rest[word.len()..];
        if word.is_empty() {
            rest = &rest[next.len_utf8()..];
            match next {
                '<' => text += "&lt;",
                '>' => text += "&gt;",
                '&' => text += "&amp;",
                '\\' | '`' | '*' | '_' | '[' | ']' => write!(text, "\\{next}").expect("a String"),
                _ => text.push(next),
            }
        } else if let Some(after) = rest.strip_prefix("()") {
            rest = after;
            text += &links.code(&format!("{word}()"));
        } else if word.contains('_') && word.len() > 1 || links.is_name(word) {
            text += &links.code(word);
        } else {
            text += word;
        }
    }
    text
}

impl Links<'_> {
    fn is_name(&self, word: &str) -> bool {
        word != "kref" && self.index.is_some_and(|index| index.headers.contains_key(word))
    }
}

/// A cell of a table.
pub fn cell(text: &str) -> String {
    text.replace('|', "&#124;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_code_and_a_link() {
        let mut index = Index::default();
        index.headers.insert("kref_get".into(), "headers/kref.h.md".into());
        let links = Links::new("../", &index);
        let text = marked("kref_get() takes *x & a_b, f(void)", &links);
        let link = "[`kref_get()`](../headers/kref.h.md#kref_get)";
        assert_eq!(text, format!("{link} takes \\*x &amp; `a_b`, f(void)"));
    }
}
