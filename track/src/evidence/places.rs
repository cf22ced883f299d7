//! Where a reference is kept, as the source lines tell: `lease->pool = pool_get(pool);` and `pool_put(lease->pool);`
//! belong together.

use std::collections::BTreeSet;
use std::ops::Range;

use super::callbacks::{self, Beside};
use super::classes::Class;
use super::statements::{Token, assignment, call, is_same, statements, tokens};
use crate::code::Code;
use crate::sources::{Sources, around};

/// So many lines before a get or put, and behind it, may tell where its reference is.
const LINES: usize = 15;
/// Lines with more words and signs are not read.
const MOST_TOKENS: usize = 4096;
/// A callback is among so many functions, from the put outwards.
const CALLBACK: usize = 3;

/// Where a reference is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// In a member of this name, in an array, or in a global variable.
    Member(String),
    /// In a variable of a function, by the function's identity.
    Variable(String, u64),
}

/// What the source tells of a class of gets or of puts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Where the reference is kept.
    kept: Vec<Place>,
    /// What a get was called with: perhaps the reference is kept there, too.
    named: Vec<Place>,
    /// What else functions were called with that got the reference: some of these names may be functions that give it
    /// back.
    handed: Vec<Beside>,
    /// The functions that the get or put is in.
    functions: Vec<&'static str>,
}

/// A line with a get or put.
struct Site<'a> {
    lines: &'a [String],
    /// The line, from 0.
    line: usize,
    /// The identity of its function.
    function: u64,
    /// The function that it calls, if that is known.
    callee: Option<&'a str>,
    /// Whether the call's argument is the object: not that of a constructor.
    is_object: bool,
}

impl Places {
    /// Of a class. Empty if the source is not there, or is not understood.
    pub fn of(class: &Class, is_get: bool, code: &Code, sources: &Sources) -> Self {
        let mut places = Self::default();
        let mut callee = None;
        for frame in code.described(class.stack).iter().take(class.frame + 1) {
            let is_object = callee.is_none() || !class.is_first;
            let lines = sources.lines(frame.file, frame.module);
            if let (Some(lines), Some(line)) = (lines, (frame.line as usize).checked_sub(1)) {
                let function = frame.identity;
                places.read(&Site { lines: &lines, line, function, callee, is_object }, is_get);
            }
            // The argument of the next call is another object.
            if !is_get && places.kept.iter().any(Place::is_member) {
                break;
            }
            callee = Some(frame.function);
        }
        let frames = code.described(class.stack).iter();
        let count = class.frame + if is_get { 1 } else { CALLBACK };
        places.functions = frames.take(count).map(|frame| frame.function).collect();
        places
    }

    /// Whether it is in a function of this name.
    fn is_in(&self, name: &str) -> bool {
        self.functions.contains(&name)
    }

    /// Removes names of functions that have no puts, and names that were given to a function that gets: it takes a
    /// reference of its own.
    pub fn keep_callbacks(of_gets: &mut [Self], of_puts: &[Self]) {
        let gets: BTreeSet<_> =
            of_gets.iter().flat_map(|get| get.functions.iter().copied()).collect();
        for get in of_gets {
            get.handed.retain(|it| {
                let is_own = it.to.as_ref().is_some_and(|to| gets.contains(to.as_str()));
                !is_own && of_puts.iter().any(|put| put.is_in(&it.name))
            });
        }
    }

    /// Whether a get stores its reference where a put finds it, or hands it on with a function that the put is in. 1: yes.
    /// 0.5: perhaps. -1 or -0.5: in another place, or with another function. 0: that is not known.
    pub fn fit(&self, put: &Self) -> f64 {
        let are_members = |of: &Self| !of.kept.is_empty() && of.kept.iter().all(Place::is_member);
        let functions =
            |of: &Self| -> Vec<u64> { of.kept.iter().filter_map(Place::function).collect() };
        let is_handed_on = self.handed.iter().any(|it| it.to.is_some());
        let with = self.handed.iter().find(|it| put.is_in(&it.name));
        if self.kept.iter().chain(&self.named).any(|place| put.kept.contains(place)) {
            1.0
        } else if let Some(with) = with {
            // A function that takes the reference itself may well give it back itself, behind the call of the other.
            if with.to.is_some() { 1.0 } else { 0.5 }
        } else if is_handed_on || are_members(self) && are_members(put) {
            -1.0
        } else if functions(self).iter().any(|it| functions(put).contains(it)) {
            -0.5
        } else {
            0.0
        }
    }

    fn read(&mut self, site: &Site, is_get: bool) -> Option<()> {
        let function = site.function()?;
        let tokens = tokens(&site.lines[function.clone()]);
        if tokens.len() > MOST_TOKENS {
            return None;
        }
        let statements = statements(&tokens);
        let is_here = |statement: &[Token]| {
            let last = statement.last().map_or(0, |token| token.line);
            (statement[0].line..=last).contains(&(site.line - function.start))
        };
        let of_line = statements.iter().enumerate().filter(|(_, statement)| is_here(statement));
        let calls = of_line.filter_map(|(at, it)| call(it, site.callee).map(|call| (at, call)));
        // A call of the name first, and what is last in the line.
        let (at, call) = calls.max_by_key(|(at, call)| (call.is_named, *at))?;
        let (before, after) = (&statements[..at], &statements[at + 1..]);
        // Where the variable is stored: by the next statement that does so, or else by the last one before the call.
        let stored = |what: &[Token], before: &[&[Token]]| {
            let into = |statement: &&[Token]| {
                let (into, from) = assignment(statement)?;
                is_same(from, what).then(|| site.place(into)).flatten()
            };
            after.iter().find_map(into).or_else(|| before.iter().rev().find_map(into))
        };
        if !is_get {
            self.kept.extend(site.place(call.argument));
            // Also by the condition of the loop: `while ((item = list->first)) item_put(item);`
            let assigned = statements[..=at].iter().rev().filter_map(|it| assignment(it));
            let mut from = assigned.filter(|(into, _)| is_same(into, call.argument));
            self.kept.extend(from.find_map(|(_, from)| site.place(from)));
            return Some(());
        }
        let variable = call.kept.unwrap_or(call.argument);
        self.handed.extend(callbacks::beside(&statements[at..], variable, site.callee));
        if let Some(kept) = call.kept {
            self.kept.extend(site.place(kept));
            self.kept.extend(stored(kept, &[]));
        } else if site.is_object {
            self.kept.extend(stored(call.argument, before));
            self.named.extend(site.place(call.argument));
        }
        Some(())
    }
}

/// What a source line with a get, or with a put, tells about the places of the reference.
#[cfg(any(test, feature = "fuzzing"))]
pub fn told(lines: &[String], line: usize, callee: Option<&str>, is_get: bool) -> Places {
    let mut places = Places::default();
    places.read(&Site { lines, line, function: 0, callee, is_object: true }, is_get);
    places
}

impl Place {
    fn is_member(&self) -> bool {
        matches!(self, Self::Member(_))
    }

    fn function(&self) -> Option<u64> {
        match self {
            Self::Member(_) => None,
            Self::Variable(_, function) => Some(*function),
        }
    }
}

impl Site<'_> {
    /// The lines near it that are of its function: they begin with a space, but for the braces around them.
    fn function(&self) -> Option<Range<usize>> {
        let all = self.lines;
        let at = Some(self.line).filter(|&at| at < all.len())?;
        let is_edge = |line: &String| line.starts_with(['{', '}']);
        let near = around(at + 1, LINES, all.len());
        let (first, end) = (near.start() - 1, *near.end());
        let from = all[first..at].iter().rposition(is_edge).map_or(first, |edge| first + edge + 1);
        let to = all[at..end].iter().position(is_edge).map_or(end, |edge| at + edge);
        Some(from..to.max(at + 1))
    }

    fn place(&self, expression: &[Token]) -> Option<Place> {
        let name = |token: &Token| {
            let is_name = token.is_word() && token.text != "NULL" && token.text != "nullptr";
            is_name.then(|| token.text.to_string())
        };
        match expression {
            [variable] => name(variable).map(|name| match self.is_global(&name) {
                true => Place::Member(name),
                false => Place::Variable(name, self.function),
            }),
            [.., dot, member] if matches!(dot.text, "->" | ".") => name(member).map(Place::Member),
            [.., end] if end.text == "]" => {
                let open = expression.iter().rposition(|it| it.text == "[")?;
                expression[..open].last().and_then(name).map(Place::Member)
            }
            _ => None,
        }
    }

    /// Whether a variable is declared outside of functions: in a line that begins with its type.
    fn is_global(&self, name: &str) -> bool {
        let is_outside =
            |line: &&String| line.starts_with(|it: char| it.is_alphabetic()) && line.contains(name);
        let declares = |line: &String| {
            let tokens = tokens(std::slice::from_ref(line));
            let is_type = |at: usize| matches!(tokens[at].text, "struct" | "union" | "enum");
            let is_variable = |at: usize| tokens[at].text == name && !is_type(at - 1);
            let end = tokens.iter().position(|it| matches!(it.text, "(" | "=" | ";"));
            end.is_some_and(|end| tokens[end].text != "(" && (1..end).any(is_variable))
        };
        self.lines.iter().filter(is_outside).any(declares)
    }
}

#[cfg(test)]
mod tests {
    use super::{Places, Site, told};

    const SOURCE: &str = r#"
struct lease *leases[8], *newest;

static void lease_free(struct lease *lease)
{
    pool_put(lease->pool); // member
}

static struct lease *lease_new(struct pool *from)
{
    struct pool *pool = pool_get(from); // variable
    struct lease *lease = malloc(sizeof *lease);

    kref_init(&lease->kref); // created
    lease->pool = pool_get(pool); /* into a member; "quoted */
    kref_get(&lease->kref); // array
    leases[lease->number] = lease;
    newest = full ? lease_get(lease) : NULL; // global
    newest->next = lease_get(lease); // linked
    if (full) { } else pool_put(pool); // put variable
    return lease;
}

static void lease_end(int at)
{
    struct lease *lease = leases[at];

    leases[at] = NULL;
    lease_put(lease); // put array
    lease_put(newest); // put global
    while ((lease = newest->next))
        lease_put(&lease->base.kref); // put next
}
"#;

    fn places(mark: &str, is_get: bool) -> Places {
        let lines: Vec<String> = SOURCE.lines().map(str::to_string).collect();
        let line = lines.iter().position(|line| line.ends_with(&format!("// {mark}")));
        let line = line.or_else(|| lines.iter().position(|it| it.contains(mark))).unwrap();
        let name = |it: &&String| it.starts_with("static");
        let function = lines[..line].iter().filter(name).count() as u64;
        let mut places = Places::default();
        let site = Site { lines: &lines, line, function, callee: None, is_object: true };
        places.read(&site, is_get).unwrap();
        places
    }

    #[test]
    fn a_get_and_a_put_of_one_place() {
        let gets = ["variable", "into a member", "array", "global", "created", "linked"];
        let puts = ["put variable", "member", "put array", "put global", "put next"];
        let table = [
            [1.0, 0.0, 0.0, 0.0, 0.0],
            [0.0, 1.0, 0.0, -1.0, 0.0],
            [0.0, -1.0, 1.0, -1.0, 0.0],
            [0.0, -1.0, 0.0, 1.0, 0.0],
            [0.0, -1.0, 1.0, -1.0, 0.0],
            [0.0, -1.0, 0.0, -1.0, 1.0],
        ];
        for (get, row) in gets.iter().zip(table) {
            for (put, fit) in puts.iter().zip(row) {
                assert_eq!(places(get, true).fit(&places(put, false)), fit, "{get}, {put}");
            }
        }
    }

    /// A line without an end is not read.
    #[test]
    fn a_long_line() {
        for words in ["f(", "f ( ] ", "x, "] {
            let lines = vec![format!(" x = get({}", words.repeat(1 << 15))];
            let site = Site { lines: &lines, line: 0, function: 1, callee: None, is_object: true };
            assert_eq!(Places::default().read(&site, true), None);
        }
    }

    /// No source makes it panic.
    #[test]
    fn any_text() {
        let words = ["(", ")", "[", "]", "=", "->", "*", "&", "a", "\"", "'", "/*", "*/", ";", "é"];
        for seed in 0..2000_usize {
            let word = |at: usize| words[(seed * 31 + at * at * (seed % 97 + 7)) % words.len()];
            let line = format!(" {}", (0..12).map(word).collect::<Vec<_>>().join(" "));
            let lines = vec![line.clone(), line.clone(), line];
            for (line, is_get) in [(1, true), (2, false), (3, true)] {
                told(&lines, line, None, is_get);
            }
        }
    }
}
