//! What the names of two functions tell: `timer_arm` and `timer_fire` belong together.

use std::collections::{BTreeMap, BTreeSet};

/// Words that undo each other.
const OPPOSITES: &[(&str, &str)] = &[
    ("open", "close"),
    ("add", "remove"),
    ("add", "del"),
    ("add", "drop"),
    ("insert", "remove"),
    ("attach", "detach"),
    ("start", "stop"),
    ("start", "cancel"),
    ("start", "expire"),
    ("start", "expired"),
    ("start", "finish"),
    ("start", "done"),
    ("arm", "fire"),
    ("arm", "cancel"),
    ("arm", "disarm"),
    ("enqueue", "dequeue"),
    ("push", "pop"),
    ("subscribe", "unsubscribe"),
    ("submit", "finish"),
    ("submit", "complete"),
    ("submit", "done"),
    ("link", "unlink"),
    ("new", "free"),
    ("new", "destroy"),
    ("new", "delete"),
    ("create", "destroy"),
    ("create", "delete"),
    ("alloc", "free"),
    ("make", "free"),
    ("ref", "unref"),
    ("hold", "drop"),
    ("connect", "disconnect"),
    ("register", "unregister"),
    ("begin", "end"),
    ("acquire", "release"),
    ("load", "unload"),
    ("init", "exit"),
    ("init", "fini"),
    ("init", "cleanup"),
    ("store", "evict"),
    ("accept", "close"),
    ("accept", "hangup"),
    ("enter", "leave"),
    ("mount", "umount"),
    ("probe", "remove"),
    ("bind", "unbind"),
    ("set", "clear"),
    ("login", "logout"),
    ("join", "leave"),
    ("send", "recv"),
    ("send", "receive"),
    ("produce", "consume"),
    ("post", "take"),
    ("give", "take"),
    ("get", "put"),
    ("index", "unindex"),
    ("publish", "withdraw"),
    ("setup", "teardown"),
    ("lock", "unlock"),
    ("pin", "unpin"),
    ("borrow", "return"),
    ("lend", "return"),
    ("schedule", "run"),
    ("map", "unmap"),
];

/// Words that many functions have.
const COMMON: &[&str] = &[
    "get", "put", "ref", "unref", "on", "the", "do", "release", "free", "new", "init", "main",
    "kref", "of", "to", "in", "all",
];

/// Words that more than half of the names of a program's part have: often its own name. They tell nothing.
pub fn frequent<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let names: BTreeSet<_> = names.collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for name in &names {
        let all: BTreeSet<_> = words(name).into_iter().collect();
        all.into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
    }
    let is_frequent = |&(_, count): &(String, usize)| 2 * count > names.len() && count > 2;
    counts.into_iter().filter(is_frequent).map(|(word, _)| word).collect()
}

/// How well two names fit each other: 0 to 2.
pub fn fit(a: &str, b: &str, frequent: &BTreeSet<String>) -> f64 {
    let (a, b) = (words(a), words(b));
    let tells = |word: &String| !COMMON.contains(&word.as_str()) && !frequent.contains(word);
    let is_shared = a.iter().any(|word| tells(word) && b.contains(word));
    let are_opposite = a.iter().any(|x| b.iter().any(|y| undo(x, y)));
    f64::from(u8::from(is_shared))
        + match (are_opposite, is_shared) {
            (true, true) => 1.0,
            (true, false) => 0.5,
            _ => 0.0,
        }
}

fn undo(a: &str, b: &str) -> bool {
    let is_not = |x: &str, y: &str| {
        ["un", "de", "dis"].iter().any(|no| x.strip_prefix(no).is_some_and(|rest| rest == y))
    };
    OPPOSITES.contains(&(a, b)) || OPPOSITES.contains(&(b, a)) || is_not(a, b) || is_not(b, a)
}

/// The words of `conn_table_add`, `connTableAdd` and `conn::Table::add`: in C++ those of the function alone.
pub fn words(name: &str) -> Vec<String> {
    let name = name.split('(').next().unwrap_or(name);
    let name = name.rsplit("::").next().unwrap_or(name);
    let mut words = vec![String::new()];
    let mut was_small = false;
    for letter in name.chars() {
        let is_large = letter.is_uppercase();
        if !letter.is_alphanumeric() || is_large && was_small {
            words.push(String::new());
        }
        was_small = letter.is_lowercase();
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{fit, frequent, words};

    #[test]
    fn names() {
        let none = BTreeSet::new();
        assert_eq!(words("conn_tableAdd(int)"), ["conn", "table", "add"]);
        assert_eq!(fit("timer_arm", "timer_fire", &none), 2.0);
        assert_eq!(fit("bind", "unbind", &none), 0.5);
        assert_eq!(fit("queue_get", "queue_drop", &none), 1.0);
        assert_eq!(fit("free_all", "get_all", &none), 0.0);
    }

    /// The name of a driver is in the names of its functions.
    #[test]
    fn a_name_that_all_have_tells_nothing() {
        let names = ["vblk_probe", "vblk_remove", "vblk_sync", "sync_all"];
        let frequent = frequent(names.into_iter());
        assert_eq!(Vec::from_iter(&frequent), ["vblk"]);
        assert_eq!(fit("vblk_probe", "vblk_sync", &frequent), 0.0);
        assert_eq!(fit("vblk_sync", "sync_all", &frequent), 1.0);
        assert_eq!(fit("vblk_probe", "vblk_sync", &BTreeSet::new()), 1.0);
    }
}
