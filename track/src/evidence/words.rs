//! What the names of two functions tell: `timer_arm` and `timer_fire` belong together.

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

/// How well two names fit each other: 0 to 2.
pub fn fit(a: &str, b: &str) -> f64 {
    let (a, b) = (words(a), words(b));
    let is_shared = a.iter().any(|word| !COMMON.contains(&word.as_str()) && b.contains(word));
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
fn words(name: &str) -> Vec<String> {
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
    use super::{fit, words};

    #[test]
    fn names() {
        assert_eq!(words("conn_tableAdd(int)"), ["conn", "table", "add"]);
        assert_eq!(fit("timer_arm", "timer_fire"), 2.0);
        assert_eq!(fit("bind", "unbind"), 0.5);
        assert_eq!(fit("queue_get", "queue_drop"), 1.0);
        assert_eq!(fit("free_all", "get_all"), 0.0);
    }
}
