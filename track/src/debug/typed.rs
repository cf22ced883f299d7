//! The functions that KREF_DEFINE() and KREF_POOL_DEFINE() make, by their names: KREF_DEFINE(session, ...) makes
//! session_ref(), session_unref() and others.
//!
//! A program may write its own session_ref(). But session_kref_release() is always among the functions of the macro, so
//! its symbol tells that the macro stands in the program.

use super::names;

const RELEASE: &str = "_kref_release";
/// The struct of C++ programs, whose members libkref::ref calls.
const CALLS: &str = "_kref_calls::";
/// Without the release function, which libkref calls and which shows what a stack is in.
const SUFFIXES: [&str; 17] = [
    "_ref_init",
    "_ref_init_n",
    "_ref",
    "_ref_unless_zero",
    "_kref_unref_at",
    "_unref",
    "_is_unique",
    "_lookup",
    "_kref_found",
    "_slot_get",
    "_slot_replace",
    "_alloc",
    "_publish",
    "_discard",
    "_handle",
    "_by_handle",
    "_next",
];

/// The first argument of the macro, if it makes functions with names like this one.
pub fn prefix(name: &str) -> Option<&str> {
    if let Some((object, _)) = name.split_once(CALLS) {
        return object.rsplit("::").next();
    }
    let name = name.rsplit("::").next()?;
    let suffixes = SUFFIXES.iter().filter(|suffix| name.ends_with(*suffix));
    name.strip_suffix(suffixes.max_by_key(|suffix| suffix.len())?)
}

/// The first arguments of all macros, in the order of the alphabet.
pub fn prefixes<'a>(symbols: impl Iterator<Item = &'a str>) -> Vec<String> {
    let releases = symbols.filter(|symbol| symbol.contains(RELEASE)).map(names::of_symbol);
    let mut all: Vec<_> = releases
        .filter_map(|name| {
            // The compiler has appended ".constprop.0" to the name of a copy.
            let name = name.split('.').next()?.rsplit("::").next()?;
            Some(name.strip_suffix(RELEASE)?.to_string())
        })
        .collect();
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::{prefix, prefixes};

    #[test]
    fn names_of_functions() {
        for (name, wanted) in [
            ("session_ref", Some("session")),
            ("session_unref", Some("session")),
            ("session_kref_unref_at", Some("session")),
            ("session_by_handle", Some("session")),
            ("net::session_ref_init_n", Some("session")),
            ("net::session_kref_calls::give_back", Some("session")),
            ("a_ref_ref", Some("a_ref")),
            ("session_get", None),
            ("session_kref_release", None),
        ] {
            assert_eq!(prefix(name), wanted, "{name}");
        }
    }

    #[test]
    fn symbols_of_macros() {
        let symbols =
            ["main", "_ZN3netL20session_kref_releaseEP4kref", "job_kref_release.constprop.0"];
        assert_eq!(prefixes(symbols.into_iter()), ["job", "session"]);
    }
}
