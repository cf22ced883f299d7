//! The functions that a header of libkref declares.

/// The headers below include/ that declare functions for programs.
pub const PUBLIC: [&str; 6] =
    ["kref.h", "kref/slot.h", "kref/percpu.h", "kref/pool.h", "kref/track.h", "kref/count.h"];

/// The header with the functions that only the inline functions call.
pub const SLOW: &str = "kref/slow.h";

/// A function, as its header declares it.
pub struct Function<'a> {
    /// `kref_put`.
    pub name: &'a str,
    /// The type that the function returns, and the words before it.
    pub returns: String,
    /// Each parameter, with its type.
    pub parameters: Vec<&'a str>,
    /// The comment before the declaration.
    pub comment: &'a str,
}

impl Function<'_> {
    /// Whether the function returns nothing.
    pub fn returns_nothing(&self) -> bool {
        self.returns.ends_with("void")
    }

    /// The parameters, as a declaration has them between its parentheses.
    pub fn parameter_list(&self) -> String {
        if self.parameters.is_empty() { "void".into() } else { self.parameters.join(", ") }
    }
}

/// The header without the lines of the preprocessor.
pub fn without_directives(header: &str) -> String {
    let (mut text, mut goes_on) = (String::new(), false);
    for line in header.lines() {
        if !goes_on && !line.starts_with('#') {
            text += line;
            text.push('\n');
        }
        goes_on = (goes_on || line.starts_with('#')) && line.ends_with('\\');
    }
    text
}

/// The functions that a header declares. A declaration begins at the start of a line.
pub fn functions(header: &str) -> Vec<Function<'_>> {
    let mut functions = Vec::new();
    let mut comment = "";
    for part in header.split("*/") {
        let (code, next) = part.split_once("/*").unwrap_or((part, ""));
        for piece in code.split([';', '{', '}']) {
            functions.extend(function(piece, comment));
        }
        comment = next;
    }
    functions
}

fn function<'a>(piece: &'a str, comment: &'a str) -> Option<Function<'a>> {
    let (before, rest) = piece.trim_start_matches('\n').split_once('(')?;
    // A static function is the helper of a macro.
    if before.starts_with(' ') || before.starts_with("typedef") || before.starts_with("KREF_STATIC")
    {
        return None;
    }
    let (before, name) = before.rsplit_once([' ', '\n'])?;
    let (before, name) = match name.strip_prefix('*') {
        Some(name) => (format!("{before} *"), name),
        None => (before.to_string(), name),
    };
    let returns = before.replace("KREF_MUST_USE", "").trim().to_string();
    Some(Function { name, returns, parameters: parameters(rest), comment })
}

/// The parameters. `text` begins after the opening parenthesis.
fn parameters(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (place, byte) in text.char_indices() {
        match byte {
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            ')' | ',' if depth == 0 => {
                found.push(text[start..place].trim());
                start = place + 1;
                if byte == ')' {
                    break;
                }
            }
            _ => {}
        }
    }
    found.retain(|parameter| *parameter != "void");
    found
}

/// The name in `void (*release)(struct kref *kref)`, or in `struct kref *kref`.
pub fn name(parameter: &str) -> &str {
    match parameter.split_once("(*") {
        Some((_, rest)) => rest.split(')').next().unwrap(),
        None => parameter.rsplit([' ', '*']).next().unwrap(),
    }
}
