//! The declarations of a page in its synopsis: types in bold, parameters in italics, and no line too long.

use crate::declaration::Declaration;
use crate::roff::verbatim;
use crate::text::word_end;

const WIDTH: usize = 78;

/// The lines of a declaration.
pub fn plain(declaration: &Declaration) -> Vec<String> {
    if declaration.code.contains('\n') || !declaration.code.contains('(') {
        return declaration.code.lines().map(str::to_string).collect();
    }
    wrapped(&declaration.code)
}

/// The lines of a declaration, marked.
pub fn lines(declaration: &Declaration) -> Vec<String> {
    if declaration.code.contains('\n') || !declaration.code.contains('(') {
        return declaration
            .code
            .lines()
            .map(|line| format!("\\fB{}\\fR", verbatim(line)))
            .collect();
    }
    wrapped(&declaration.code).iter().map(|line| marked(line)).collect()
}

/// The declaration in lines, with a parameter's start below the first parameter's.
fn wrapped(code: &str) -> Vec<String> {
    if code.len() <= WIDTH {
        return vec![code.into()];
    }
    let open = code.find('(').map_or(0, |at| at + 1);
    let (head, parameters) = (&code[..open], &code[open..]);
    let parts = split(parameters);
    let widest = parts.iter().map(|part| part.len()).max().unwrap_or(0);
    let indent = if open + widest > WIDTH { 8 } else { open };
    let mut lines = vec![head.to_string()];
    for part in parts {
        let last = lines.last_mut().expect("the head");
        if last.trim().len() > open.min(head.len()) && last.len() + 1 + part.len() > WIDTH
            || last.len() + part.len() > WIDTH
        {
            lines.push(format!("{:indent$}{part}", ""));
        } else {
            if !last.ends_with('(') {
                last.push(' ');
            }
            last.push_str(part);
        }
    }
    lines
}

/// The parameters, each with its comma.
fn split(parameters: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (place, letter) in parameters.char_indices() {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        if depth == 0 && letter == ',' {
            parts.push(parameters[start..=place].trim());
            start = place + 1;
        }
    }
    parts.push(parameters[start..].trim());
    parts
}

/// A parameter is the last word before a comma or a parenthesis: `*slot,`, `(*release)(`.
fn marked(line: &str) -> String {
    let mut text = String::from("\\fB");
    let (mut rest, mut opened) = (line, line.starts_with(' '));
    while !rest.is_empty() {
        let word = &rest[..word_end(rest)];
        let after = &rest[word.len()..];
        if word.is_empty() {
            let next = rest.chars().next().expect("not empty");
            opened |= next == '(';
            text += &verbatim(&rest[..next.len_utf8()]);
            rest = &rest[next.len_utf8()..];
            continue;
        }
        let parameter = opened && after.starts_with([',', ')', ';']) && word != "void";
        text += &if parameter { format!("\\fI{word}\\fB") } else { word.to_string() };
        rest = after;
    }
    text + "\\fR"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declaration::Kind;

    fn of(code: &str) -> Vec<String> {
        let found = Declaration {
            kind: Kind::Function,
            name: String::new(),
            code: code.into(),
            members: Vec::new(),
        };
        lines(&found)
    }

    #[test]
    fn a_parameter_is_in_italics() {
        assert_eq!(of("int f(void);"), ["\\fBint f(void);\\fR"]);
        let wanted = "\\fBvoid f(int *\\fIa\\fB, void (*\\fIg\\fB)(struct b *\\fIb\\fB));\\fR";
        assert_eq!(of("void f(int *a, void (*g)(struct b *b));"), [wanted]);
    }

    #[test]
    fn a_long_declaration_has_several_lines() {
        let code = "int a_function(struct something *something, void (*release)(struct something *something), int n);";
        let wanted = [
            "int a_function(struct something *something,",
            "               void (*release)(struct something *something), int n);",
        ];
        assert_eq!(wrapped(code), wanted);
    }
}
