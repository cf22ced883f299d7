//! Reads one declaration of a header: a macro, a type or a function.

use crate::text::{stripped, word_end};

/// The kind of a declaration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A function that the library or another header defines.
    Function,
    /// A function with its body.
    Inlined,
    /// A macro.
    Macro,
    /// A struct, an enum or a typedef.
    Type,
}

/// A declaration.
#[derive(Debug)]
pub struct Declaration {
    /// Its kind.
    pub kind: Kind,
    /// `kref_get`.
    pub name: String,
    /// The declaration as a synopsis has it.
    pub code: String,
    /// The members of a struct or the constants of an enum that have a comment, and what it says.
    pub members: Vec<(String, String)>,
}

impl Declaration {
    /// Whether a program writes arguments behind the name.
    pub fn is_called(&self) -> bool {
        match self.kind {
            Kind::Function | Kind::Inlined => true,
            Kind::Macro => self.code.ends_with(");"),
            Kind::Type => false,
        }
    }
}

/// The end of a declaration: its semicolon, or the brace that closes a function's body.
pub fn end(text: &str) -> usize {
    let (mut depth, mut body) = (0, false);
    for (place, letter) in text.char_indices() {
        match letter {
            '{' => {
                body |= depth == 0 && text[..place].trim_end().ends_with(')');
                depth += 1;
            }
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 && (letter == ';' || letter == '}' && body) {
            return place + 1;
        }
    }
    text.len()
}

/// `#define NAME(parameters) value`
pub fn defined(directive: &str) -> Option<Declaration> {
    let rest = directive.strip_prefix("#define ")?.trim_end();
    let name = &rest[..word_end(rest)];
    let after = &rest[name.len()..];
    let code = match after.strip_prefix('(') {
        Some(parameters) => format!("{name}({});", parameters.split(')').next()?),
        None if after.trim_start().starts_with('{') || after.contains('\n') => name.into(),
        None => format!("#define {name}{after}"),
    };
    // A header guard has no value.
    let guard = name.ends_with("_H") && after.is_empty();
    (!guard).then(|| declaration(Kind::Macro, name, code))
}

fn declaration(kind: Kind, name: &str, code: String) -> Declaration {
    Declaration { kind, name: name.into(), code, members: Vec::new() }
}

/// A function or a type.
pub fn declared(code: &str) -> Option<Declaration> {
    let code = code.trim();
    for word in ["struct ", "enum "] {
        if let Some(rest) = code.strip_prefix(word)
            && let Some((name, inside)) = rest.split_once('{')
        {
            let (name, members) = (name.trim(), members(inside));
            let code = if members.is_empty() {
                format!("{word}{name} {{ ... }};")
            } else {
                without_comments(code)
            };
            return Some(Declaration { members, ..declaration(Kind::Type, name, code) });
        }
    }
    if let Some(rest) = code.strip_prefix("typedef ") {
        let name = match rest.split_once("(") {
            Some((_, rest)) => rest.trim_start_matches('*').split(')').next()?,
            None => rest.trim_end_matches(';').rsplit([' ', '*']).next()?,
        };
        return Some(declaration(Kind::Type, name, one_line(code)));
    }
    function(code)
}

fn function(code: &str) -> Option<Declaration> {
    let mut code = code;
    while let Some((word, rest)) = code.split_once([' ', '\n'])
        && (["static", "inline", "extern", "__inline__", "__extension__"].contains(&word)
            || word.starts_with("KREF_") && !word.contains('('))
    {
        code = rest.trim_start();
    }
    let open = code.find('(')?;
    let name = code[..open].trim_end().rsplit([' ', '*', '\n']).next()?;
    let mut depth = 0;
    let close = code[open..].find(|letter| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        depth == 0
    })?;
    let kind = if code.ends_with('}') { Kind::Inlined } else { Kind::Function };
    let shown = one_line(&code[..=open + close]) + ";";
    (!name.is_empty()).then(|| declaration(kind, name, shown))
}

/// The members that have a comment of their own.
fn members(inside: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for part in inside.split("/**").skip(1) {
        let Some((comment, after)) = part.split_once("*/") else { continue };
        let code = after.trim_start();
        let name = match code.split_once("(*") {
            Some((before, rest)) if !before.contains(';') => &rest[..word_end(rest)],
            _ => {
                let code = code.split([';', ',', '}', '=']).next().unwrap_or(code).trim_end();
                code.rsplit([' ', '*']).next().unwrap_or(code)
            }
        };
        let words: Vec<String> =
            stripped(comment).lines().map(|line| line.trim().to_string()).collect();
        found.push((name.into(), words.join(" ").trim().into()));
    }
    found
}

fn without_comments(code: &str) -> String {
    let mut parts = code.split("/*");
    let mut text = parts.next().unwrap_or_default().to_string();
    text.extend(parts.map(|part| part.split_once("*/").map_or("", |(_, after)| after)));
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

fn one_line(code: &str) -> String {
    code.split_whitespace().collect::<Vec<_>>().join(" ")
}
