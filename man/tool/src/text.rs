//! Text in blocks: a comment of a header, or a guide of docs/ in Markdown. A comment is nearly Markdown: its code
//! is indented, and its names have no backquotes.

/// A block of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A heading: its level, and its words.
    Heading(usize, String),
    /// A paragraph, on one line.
    Paragraph(String),
    /// Lines of code, as they are.
    Code(String),
    /// An item of a list: `1.` or `-`, and its words.
    Item(String, String),
    /// A term and what it is: `Range     any kref`. Only comments have it.
    Term(String, String),
    /// The rows of a table. The first row has the headings, which may be empty.
    Table(Vec<Vec<String>>),
}

use Block::{Code, Heading, Item, Paragraph, Table, Term};

/// The blocks of a text.
pub fn blocks(text: &str) -> Vec<Block> {
    let lines: Vec<&str> = text.lines().collect();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < lines.len() {
        let line = lines[at];
        let start = at;
        if line.trim().is_empty() || line.starts_with("![") {
            at += 1;
        } else if line.starts_with("```") {
            at = end(&lines, at + 1, |line| line.starts_with("```")) + 1;
            found.push(Code(lines[start + 1..at - 1].join("\n")));
        } else if let Some(words) = line.trim_start_matches('#').strip_prefix(' ')
            && line.starts_with('#')
        {
            found.push(Heading(line.len() - words.len() - 1, words.into()));
            at += 1;
        } else if line.starts_with('|') {
            at = end(&lines, at, |line| !line.starts_with('|'));
            found.push(table(&lines[start..at]));
        } else if let Some((mark, _)) = item(line) {
            at = end(&lines, at + 1, |line| line.trim().is_empty() || item(line).is_some());
            let words = join(&lines[start..at]);
            found.push(Item(mark.into(), words[mark.len()..].trim_start().into()));
        } else if let Some(term) = term(line) {
            let more = |line: &str| line.starts_with("    ");
            at = end(&lines, at + 1, |line| !more(line));
            let words = join(&lines[start..at]);
            found.push(Term(term.into(), words[term.len()..].trim_start().into()));
        } else if line.starts_with("  ") {
            let indented = line.len() - line.trim_start().len();
            let inside = |line: &str| line.is_empty() || line.starts_with(&" ".repeat(indented));
            at = end(&lines, at, |line| !inside(line));
            let code = lines[start..at].iter().map(|line| line.get(indented..).unwrap_or(""));
            found.push(Code(code.collect::<Vec<_>>().join("\n").trim_end().into()));
        } else {
            at = end(&lines, at, |line| {
                line.trim().is_empty() || line.starts_with("```") || item(line).is_some()
            });
            found.push(Paragraph(join(&lines[start..at])));
        }
    }
    found
}

/// The first line from `at` on for which `ends` is true, or the end.
fn end(lines: &[&str], at: usize, ends: impl Fn(&str) -> bool) -> usize {
    lines[at..].iter().position(|line| ends(line)).map_or(lines.len(), |more| at + more)
}

/// The mark and the words of a line that begins an item of a list.
fn item(line: &str) -> Option<(&str, &str)> {
    let (mark, words) = line.trim_start().split_once(' ')?;
    let number = mark.strip_suffix('.').is_some_and(|number| number.parse::<u8>().is_ok());
    let indented = line.len() - line.trim_start().len();
    (indented < 4 && (mark == "-" || mark == "*" || number)).then_some((mark, words))
}

/// The word before two blanks or more: `Range  any kref`.
fn term(line: &str) -> Option<&str> {
    let (term, words) = line.split_once("  ")?;
    let one_word = !term.is_empty() && term.chars().all(char::is_alphabetic);
    (one_word && !words.trim().is_empty()).then_some(term)
}

fn join(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

fn table(lines: &[&str]) -> Block {
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim().trim_start_matches('|').trim_end_matches('|');
        line.split('|').map(|cell| cell.trim().to_string()).collect()
    };
    let rows = lines.iter().filter(|line| line.contains(|c| !"|- :".contains(c)));
    let mut rows: Vec<Vec<String>> = rows.map(|line| cells(line)).collect();
    if !lines[0].contains(|c| !"| ".contains(c)) {
        rows.insert(0, cells(lines[0]));
    }
    Table(rows)
}

/// The words of a comment, without the stars at the starts of its lines.
pub fn stripped(comment: &str) -> String {
    let inner = comment.trim_start_matches("/*").trim_end_matches("*/").trim_start_matches('*');
    let lines = inner.lines().map(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix('*').unwrap_or(line);
        line.strip_prefix(' ').unwrap_or(line).trim_end()
    });
    lines.collect::<Vec<_>>().join("\n").trim_matches('\n').into()
}

/// The length of the identifier at the start of a text.
pub fn word_end(text: &str) -> usize {
    text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(text.len())
}

/// A part of a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Span<'a> {
    /// Words.
    Words(&'a str),
    /// Code: what stands in backquotes.
    Code(&'a str),
    /// Words that `**` makes strong.
    Strong(&'a str),
}

/// The parts of a line of Markdown. Of a link, its words are left.
pub fn spans(line: &str) -> Vec<Span<'_>> {
    let mut found = Vec::new();
    for (place, part) in line.split('`').enumerate() {
        if place % 2 == 1 {
            found.push(Span::Code(part));
            continue;
        }
        for (place, part) in part.split("**").enumerate() {
            if place % 2 == 1 {
                found.push(Span::Strong(part));
            } else {
                found.extend(without_links(part).into_iter().map(Span::Words));
            }
        }
    }
    found.retain(|span| !matches!(span, Span::Words("") | Span::Strong("")));
    found
}

/// `see [the guide](guide.md).` is `see `, `the guide` and `.`.
fn without_links(words: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = words;
    while let Some((before, link)) = rest.split_once('[')
        && let Some((text, after)) = link.split_once("](")
        && let Some((_, after)) = after.split_once(')')
    {
        found.extend([before, text]);
        rest = after;
    }
    found.push(rest);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_has_paragraphs_code_and_items() {
        let text =
            "One\ntwo.\n\n  1. First\n     line.\n  2. Second.\n\n    int a;\n\n    int b;\n\nEnd.";
        let found = blocks(text);
        let wanted = [
            Paragraph("One two.".into()),
            Item("1.".into(), "First line.".into()),
            Item("2.".into(), "Second.".into()),
            Code("int a;\n\nint b;".into()),
            Paragraph("End.".into()),
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_comment_has_terms() {
        let term = |term: &str, words: &str| Term(term.into(), words.into());
        let found = blocks("Range   One\n        two.\nMisuse  Three.\n\nEnd.");
        let end = Paragraph("End.".into());
        assert_eq!(found, [term("Range", "One two."), term("Misuse", "Three."), end]);
    }

    #[test]
    fn a_guide_has_headings_tables_and_fences() {
        let text = "# Top\n\n| | |\n|---|---|\n| `a` | b |\n\n```c\n    x;\n```\n![p](p.svg)\n";
        let row = |cells: [&str; 2]| cells.map(str::to_string).to_vec();
        let wanted = [
            Heading(1, "Top".into()),
            Table(vec![row(["", ""]), row(["`a`", "b"])]),
            Code("    x;".into()),
        ];
        assert_eq!(blocks(text), wanted);
    }

    #[test]
    fn a_link_leaves_its_words() {
        let found = spans("see [the guide](guide.md), **now**: `x()`");
        let wanted = [
            Span::Words("see "),
            Span::Words("the guide"),
            Span::Words(", "),
            Span::Strong("now"),
            Span::Words(": "),
            Span::Code("x()"),
        ];
        assert_eq!(found, wanted);
    }
}
