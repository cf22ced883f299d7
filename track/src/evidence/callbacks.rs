//! Functions that a reference is handed on with, as the source lines tell: `conn_get(conn);` and then
//! `timer_add(timer, conn, on_expiry);`. A put in `on_expiry` gives this reference back.

use super::statements::{Token, calls, is_same, object};
use super::words::words;

/// A name that a function was called with, beside a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// The function that was called; `None` if it has taken the reference itself.
    pub to: Option<String>,
    /// The name.
    pub name: String,
}

/// The names in the first statement, which has a get of the object in a variable, and in those that follow it up to the
/// next get of that object. `callee` is the function that was called there, if that is known.
pub fn beside(statements: &[&[Token]], variable: &[Token], callee: Option<&str>) -> Vec<Beside> {
    let (first, others) = statements.split_at(1);
    let others = others.iter().take_while(|statement| !takes(statement, variable));
    let mut found = Vec::new();
    for (to, arguments) in first.iter().chain(others).flat_map(|statement| calls(statement)) {
        let has_taken = callee == Some(to);
        let is_get = |it: &[Token]| it.first().is_some_and(|it| callee == Some(it.text));
        if has_taken || arguments.iter().any(|it| is_same(it, variable) || is_get(it)) {
            let names = arguments.iter().filter(|it| it.len() == 1 && it[0].is_word());
            let to = (!has_taken).then_some(to);
            found.extend(
                names.map(|it| Beside { to: to.map(str::to_string), name: it[0].text.to_string() }),
            );
        }
    }
    found
}

/// Whether a statement takes another reference on the object in a variable, as the names of functions tell.
fn takes(statement: &[Token], variable: &[Token]) -> bool {
    let tells = |name: &str| {
        let words = words(name);
        let has = |all: &[&str]| words.iter().any(|word| all.contains(&word.as_str()));
        has(&["get", "ref", "kref", "hold"]) && !has(&["put", "unref", "release", "drop"])
    };
    calls(statement).any(|(name, arguments)| {
        tells(name) && arguments.first().is_some_and(|it| is_same(object(it), variable))
    })
}

#[cfg(test)]
mod tests {
    use super::super::statements::{statements, tokens};
    use super::beside;

    /// The names, after the function that got the reference, in a source whose first statement is the get.
    fn names(source: &str, variable: &str, callee: Option<&str>) -> Vec<String> {
        let lines: Vec<String> = source.lines().map(str::to_string).collect();
        let name = [variable.to_string()];
        let (tokens, variable) = (tokens(&lines), tokens(&name));
        let found = beside(&statements(&tokens), &variable, callee);
        let name = |to: Option<String>, name| format!("{}({name})", to.unwrap_or_default());
        found.into_iter().map(|it| name(it.to, it.name)).collect()
    }

    #[test]
    fn what_a_reference_is_handed_on_with() {
        let source = "kref_get(&it->kref);\nit->timer = timer_add(loop, 1, expire, it, gone);";
        let wanted = ["timer_add(loop)", "timer_add(expire)", "timer_add(it)", "timer_add(gone)"];
        assert_eq!(names(source, "it", None), wanted);
        let nested = "idle_add(loop, flush, item_get(it), gone);";
        assert_eq!(
            names(nested, "it", Some("item_get"))[..2],
            ["idle_add(loop)", "idle_add(flush)"]
        );
        let by_itself = "err = start(&threads[0], work, it);";
        assert_eq!(names(by_itself, "it", Some("start")), ["(work)", "(it)"]);
    }

    /// What comes behind the next get is that get's.
    #[test]
    fn another_get_comes_first() {
        let source =
            "kref_init(&it->kref);\nname(it, early);\nkref_get(&it->kref);\nadd(it, gone);";
        assert_eq!(names(source, "it", None), ["name(it)", "name(early)"]);
        assert_eq!(names("kref_get(&it->kref);\nadd(other, gone);", "it", None), [""; 0]);
        let no_get = "kref_get(&it->kref);\nif (it) kref_put(&it->kref, put);\nwidget_add(it);\nadd(it, gone);";
        assert_eq!(names(no_get, "it", None), ["widget_add(it)", "add(it)", "add(gone)"]);
    }
}
