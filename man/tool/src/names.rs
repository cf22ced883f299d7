//! The names of the headers: which of them a user types, and which page has each.

use std::collections::{BTreeMap, BTreeSet};

use crate::declaration::{Declaration, Kind};
use crate::header::{Entry, Header};

/// Names that a header needs for itself, or that are not libkref's. `*` stands for any letters. No page has them.
pub const INTERNAL: &[&str] = &[
    // What the inlined functions use.
    "kref_current_tracker",
    "*_slow",
    "kref_is_tracked",
    "kref_entry_at",
    "kref_tsan_*",
    "__tsan_*",
    "kref_percpu_*",
    // Attributes and casts.
    "KREF_NONNULL*",
    "KREF_MUST_USE",
    "KREF_COLD",
    "KREF_STATIC",
    "KREF_CAST",
    "KREF_UNUSED",
    // Parts of other macros.
    "KREF_STORED",
    "KREF_AS_INT",
    "KREF_GUARD_*",
    "KREF_LOG2",
    "KREF_POOL_ALIGN",
    "KREF_POOL_ENTRY",
    "KREF_POOL_FIRST*",
    "KREF_POOL_FUNCTIONS",
    "KREF_POOL_INIT_AS",
    "KREF_POOL_IN_LINES",
    "KREF_POOL_LEAD",
    "KREF_POOL_ROUND",
    "KREF_POOL_STRIDE",
    "KREF_ALIGNOF",
    "KREF_TYPED*",
    "KREF_LINUX",
    "KREF_LINUX_HAS_SPINLOCK",
    "KREF_LINUX_OLDP",
    "KREF_LINUX_I_OLDP",
    "kref_linux_*",
    // The sequences and the inlined functions.
    "KREF_TSAN",
    "KREF_SANITIZED",
    "KREF_INLINE",
    "KREF_LIKELY",
    "KREF_RETURNS_HERE",
    "KREF_INCREMENT",
    "KREF_DECREMENT",
    "KREF_CHECK",
    "KREF_TRACKER",
    "KREF_PERCPU_*",
    "KREF_SEQUENCE*",
    "KREF_WANTS_SEQUENCES",
    // The kernel's macro, which other libraries define, too.
    "container_of",
];

/// Whether no page has this name.
pub fn is_internal(name: &str) -> bool {
    INTERNAL.iter().any(|pattern| matches(pattern, name))
}

/// Whether a name fits a pattern with at most one `*`.
pub fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    }
}

/// Leaves the entries that a user reads: those of public names, and each name once. A function that one header
/// declares and another defines, to inline it, stays where it is declared.
pub fn keep_public(headers: &mut [Header]) {
    let all = || headers.iter().flat_map(Header::entries).flat_map(|entry| &entry.declarations);
    let declared: BTreeSet<String> = all()
        .filter(|found| found.kind == Kind::Function)
        .map(|found| found.name.clone())
        .collect();
    let mut seen = BTreeSet::new();
    let mut keep = |found: &Declaration| {
        let elsewhere = found.kind != Kind::Function && declared.contains(&found.name);
        // `struct kref` and a function kref() would be two names.
        let key = (found.kind == Kind::Type, found.name.clone());
        !is_internal(&found.name) && !elsewhere && seen.insert(key)
    };
    for section in headers.iter_mut().flat_map(|header| &mut header.sections) {
        for entry in &mut section.entries {
            entry.declarations.retain(&mut keep);
        }
        section.entries.retain(|entry| !entry.declarations.is_empty());
    }
}

/// All names of an entry, with the constants of an enum.
pub fn names(entry: &Entry) -> impl Iterator<Item = &str> {
    entry.declarations.iter().flat_map(|found| {
        let constants = found.members.iter().filter(|_| found.code.starts_with("enum "));
        std::iter::once(&*found.name).chain(constants.map(|(name, _)| &**name))
    })
}

/// The place of each name.
#[derive(Debug, Default)]
pub struct Index {
    /// The man page: `kref_get` is in `kref_init`.
    pub pages: BTreeMap<String, String>,
    /// The header: `kref_get` is in `kref.h`.
    pub headers: BTreeMap<String, String>,
    /// The names of functions, and of macros with arguments.
    pub called: BTreeSet<String>,
}

impl Index {
    /// Adds the names of an entry.
    pub fn add(&mut self, entry: &Entry, page: &str, header: &str) {
        for name in names(entry) {
            self.pages.entry(name.into()).or_insert_with(|| page.into());
            self.headers.entry(name.into()).or_insert_with(|| header.into());
        }
        let called = entry.declarations.iter().filter(|found| found.is_called());
        self.called.extend(called.map(|found| found.name.clone()));
    }
}
