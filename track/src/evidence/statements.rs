//! Statements of C: as much as is needed to see which expression a call is about.

/// In front of the bracket of a call there is none of these.
const KEYWORDS: [&str; 7] = ["if", "while", "for", "switch", "return", "sizeof", "do"];
/// Signs of two letters.
const SIGNS: [&str; 12] = ["->", "==", "!=", "<=", ">=", "&&", "||", "+=", "-=", "|=", "&=", "::"];

/// A word, a number or a sign, and its line.
#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    /// The text.
    pub text: &'a str,
    /// The line, from 0.
    pub line: usize,
}

impl Token<'_> {
    /// Whether it is a name, or a keyword.
    pub fn is_word(&self) -> bool {
        self.text.starts_with(|it: char| it.is_alphabetic() || it == '_')
    }
}

/// What the lines are made of, without comments and strings.
pub fn tokens(lines: &[String]) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut in_comment = false;
    for (line, text) in lines.iter().enumerate() {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let end = |found: Option<usize>, more| found.map_or(rest.len(), |at| at + more);
            let length = if in_comment || rest.starts_with("/*") {
                let ends = rest.find("*/");
                in_comment = ends.is_none();
                end(ends, 2)
            } else if rest.starts_with("//") || rest.starts_with('#') {
                rest.len()
            } else if first == '"' || first == '\'' {
                end(rest[1..].find(first), 2)
            } else if first.is_alphanumeric() || first == '_' {
                end(rest.find(|it: char| !it.is_alphanumeric() && it != '_'), 0)
            } else if SIGNS.iter().any(|sign| rest.starts_with(sign)) {
                2
            } else {
                first.len_utf8()
            };
            let is_text = ["/*", "//", "#", "\"", "'"].iter().any(|it| rest.starts_with(it));
            if !in_comment && !is_text && !rest[..length].ends_with("*/") {
                tokens.push(Token { text: &rest[..length], line });
            }
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

/// A call of a statement.
pub struct Call<'a> {
    /// What its result is assigned to.
    pub kept: Option<&'a [Token<'a>]>,
    /// The object: its first argument.
    pub argument: &'a [Token<'a>],
    /// Whether it is the function that was asked for.
    pub is_named: bool,
}

/// The tokens up to a comma, or to a bracket that was opened before them.
fn whole<'a>(tokens: &'a [Token<'a>]) -> &'a [Token<'a>] {
    let mut depth = 0;
    let end = tokens.iter().position(|token| {
        let is_end = depth == 0 && matches!(token.text, "," | ")" | "]");
        depth += i32::from(matches!(token.text, "(" | "["));
        depth -= i32::from(matches!(token.text, ")" | "]"));
        is_end
    });
    &tokens[..end.unwrap_or(tokens.len())]
}

/// All calls of a statement: what is called, and the arguments.
pub fn calls<'a>(
    statement: &'a [Token<'a>],
) -> impl Iterator<Item = (&'a str, Vec<&'a [Token<'a>]>)> {
    let is_call = |&open: &usize| {
        let name = statement[open - 1];
        statement[open].text == "(" && name.is_word() && !KEYWORDS.contains(&name.text)
    };
    (1..statement.len())
        .filter(is_call)
        .map(|open| (statement[open - 1].text, arguments(&statement[open + 1..])))
}

/// The arguments of a call, behind its bracket.
fn arguments<'a>(mut rest: &'a [Token<'a>]) -> Vec<&'a [Token<'a>]> {
    let mut found = Vec::new();
    loop {
        let argument = whole(rest);
        found.push(argument);
        match rest.get(argument.len()) {
            Some(end) if end.text == "," => rest = &rest[argument.len() + 1..],
            _ => return found,
        }
    }
}

/// The call of the function `callee`. If the statement has none: of a function whose name looks like a get or put.
pub fn call<'a>(statement: &'a [Token<'a>], callee: Option<&str>) -> Option<Call<'a>> {
    let is_call = |at: &usize| {
        let [name, open] = [&statement[*at], &statement[*at + 1]];
        name.is_word() && open.text == "(" && !KEYWORDS.contains(&name.text)
    };
    let calls = || (0..statement.len().saturating_sub(1)).filter(is_call);
    let named = calls().find(|&at| callee == Some(statement[at].text));
    let telling = || {
        let tells = |name: &str| ["ref", "get", "put", "init"].iter().any(|it| name.contains(it));
        calls().find(|&at| tells(statement[at].text))
    };
    let at = named.or_else(telling).or_else(|| calls().next_back())?;
    let argument = object(whole(&statement[at + 2..]));
    // `x = get(y)`, and `x = y ? get(y) : NULL`, but not `x = f(get(y))`
    let equals = statement[..at].iter().rposition(|token| token.text == "=");
    let is_direct = |&equals: &usize| {
        let between = &statement[equals + 1..at];
        let opened = between.iter().filter(|token| token.text == "(").count();
        opened == between.iter().filter(|token| token.text == ")").count()
    };
    let kept = equals.filter(is_direct).map(|equals| expression(&statement[..equals]));
    Some(Call { kept, argument, is_named: named.is_some() })
}

/// What stands at the end of these: `a->b[i]` of `struct t *a->b[i]`.
fn expression<'a>(tokens: &'a [Token<'a>]) -> &'a [Token<'a>] {
    let mut from = tokens.len();
    while let Some(at) = from.checked_sub(1) {
        match tokens[at].text {
            "]" | ")" => {
                let open = if tokens[at].text == "]" { "[" } else { "(" };
                let Some(open) = tokens[..at].iter().rposition(|it| it.text == open) else { break };
                from = open;
                if open == 0 || !(tokens[open - 1].is_word() || tokens[open - 1].text == "]") {
                    break;
                }
            }
            _ if tokens[at].is_word() => {
                from = at;
                match at.checked_sub(1).map(|before| tokens[before].text) {
                    Some("->" | ".") => from = at - 1,
                    _ => break,
                }
            }
            _ => break,
        }
    }
    &tokens[from..]
}

/// The object that an argument is: `disk` of `&disk->dev.kref`, in which the count is embedded.
pub fn object<'a>(argument: &'a [Token<'a>]) -> &'a [Token<'a>] {
    let mut object = plain(argument);
    if argument.first().is_some_and(|first| first.text == "&") {
        while let [outer @ .., dot, _] = object
            && matches!(dot.text, "->" | ".")
        {
            object = outer;
            if dot.text == "->" {
                break;
            }
        }
    }
    object
}

/// Without `&`, `*` and a cast.
fn plain<'a>(mut tokens: &'a [Token<'a>]) -> &'a [Token<'a>] {
    while let [first, rest @ ..] = tokens {
        tokens = match first.text {
            "&" | "*" => rest,
            "(" if rest.iter().any(|it| it.text == "*") => {
                let Some(end) = rest.iter().position(|it| it.text == ")") else { break };
                &rest[end + 1..]
            }
            _ => break,
        };
    }
    tokens
}

/// What is assigned to what: the left side, and the right side.
pub fn assignment<'a>(statement: &'a [Token<'a>]) -> Option<(&'a [Token<'a>], &'a [Token<'a>])> {
    let equals = statement.iter().position(|token| token.text == "=")?;
    Some((expression(&statement[..equals]), plain(whole(&statement[equals + 1..]))))
}

/// The statements, without what stands between them.
pub fn statements<'a>(tokens: &'a [Token<'a>]) -> Vec<&'a [Token<'a>]> {
    let statements = tokens.split(|token| matches!(token.text, ";" | "{" | "}" | "else"));
    statements.filter(|statement| !statement.is_empty()).collect()
}

/// Whether both are the same variable.
pub fn is_same(a: &[Token], b: &[Token]) -> bool {
    matches!((a, b), ([a], [b]) if a.text == b.text)
}
