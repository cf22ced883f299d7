//! The contenders that all take turns, the tables that they stand in, and the goals.

use kref_bench::Threads::{OnEachCore, One};
use kref_bench::{Contender, Goal, Loops, compile};
use kref_c_tests::Prefix;

use crate::rust;

// Taking a reference and giving it back.
const BY_HAND: &str = "C11 atomics by hand";
const INLINED: &str = "kref, inlined";
const RUST_KREF: &str = "Rust, Kref";
const RUST_REF: &str = "Rust, Ref";
const ARC: &str = "std Arc";
/// GLib's row.
pub const GLIB: &str = "GLib g_atomic_rc_box";
const BY_HAND_SO: &str = "C11 atomics by hand, in a .so";
const SHARED: &str = "kref, in libkref.so";
const ARCHIVE: &str = "kref, in libkref.a";

// Beginning an object and giving back its only reference.
const INIT_BY_HAND: &str = "C11 atomics by hand, init";
const INIT: &str = "kref_init";

// Finding the one published object, taking a reference, and giving it back.
const MUTEX: &str = "mutex by hand";
const RWLOCK: &str = "rwlock by hand";
const LOOKUP_MUTEX: &str = "kref_lookup_mutex";
const SLOT: &str = "kref_slot_get";
/// liburcu's rows.
pub const URCU: [&str; 3] =
    ["urcu-memb + get_unless_zero", "urcu-qsbr + get_unless_zero", "urcu-bp + get_unless_zero"];
const PERCPU_SLOT: &str = "percpu_ref_slot, inlined";

// The same for an object that each CPU counts for itself.
const PERCPU: &str = "percpu_ref, inlined";
const PERCPU_ARCHIVE: &str = "percpu_ref, in libkref.a";
const PERCPU_SHARED: &str = "percpu_ref, in libkref.so";
const PERCPU_SLOT_SHARED: &str = "percpu_ref_slot, in libkref.so";
const OWN: &str = "a kref for each thread";

/// The titles and rows. The first row of a table is the one that the others are compared with.
pub const TABLES: [(&str, &[&str]); 5] = [
    ("get + put", &[BY_HAND, GLIB, ARC, INLINED, RUST_KREF, RUST_REF]),
    ("get + put, called", &[BY_HAND_SO, SHARED, ARCHIVE]),
    ("init + last put", &[INIT_BY_HAND, INIT]),
    ("lookup + put", &[MUTEX, RWLOCK, LOOKUP_MUTEX, SLOT, URCU[0], URCU[1], URCU[2], PERCPU_SLOT]),
    (
        "get + put of a hot object",
        &[INLINED, PERCPU, PERCPU_ARCHIVE, PERCPU_SHARED, PERCPU_SLOT, PERCPU_SLOT_SHARED, OWN],
    ),
];

/// The goals for the ratios.
pub const GOALS: [Goal; 10] = [
    Goal::new(1.02, (INLINED, One), (&[BY_HAND, GLIB, ARC], One)),
    Goal::new(1.02, (INLINED, OnEachCore), (&[BY_HAND, GLIB, ARC], OnEachCore)),
    Goal::new(1.15, (SHARED, One), (&[BY_HAND_SO], One)),
    Goal::new(1.15, (SHARED, OnEachCore), (&[BY_HAND_SO], OnEachCore)),
    Goal::new(1.05, (INIT, One), (&[INIT_BY_HAND], One)),
    Goal::new(0.45, (SLOT, One), (&[MUTEX], One)),
    Goal::new(0.45, (SLOT, OnEachCore), (&[MUTEX], OnEachCore)),
    Goal::new(0.45, (PERCPU, One), (&[INLINED], One)),
    Goal::new(1.15, (PERCPU, OnEachCore), (&[PERCPU], One)),
    Goal::new(1.40, (PERCPU_SLOT, One), (&[PERCPU], One)),
];

/// The contenders that every machine has.
pub fn contenders() -> Vec<Contender> {
    let rust = [rust::kref(RUST_KREF), rust::reference(RUST_REF), rust::arc(ARC)];
    by_hand().into_iter().chain(libkref()).chain(rust).collect()
}

fn by_hand() -> [Contender; 5] {
    const LOOPS: &str = "bench/costs/peers/by_hand.c";
    const LIBRARY: &str = "bench/costs/peers/by_hand_library.c";
    let library = compile(LIBRARY, "libby_hand.so", &["-fPIC", "-shared"]).display().to_string();
    let inlined = Loops::compile(LOOPS, "by_hand", &[]);
    let called = Loops::compile(LOOPS, "by_hand_called", &["-DBY_HAND_CALLED", &library]);
    [
        inlined.contender(BY_HAND, "get_put"),
        called.contender(BY_HAND_SO, "get_put"),
        inlined.contender(INIT_BY_HAND, "init_put"),
        inlined.contender(MUTEX, "lookup_mutex"),
        inlined.contender(RWLOCK, "lookup_rwlock"),
    ]
}

fn libkref() -> [Contender; 12] {
    const LOOPS: &str = "bench/costs/loops.c";
    let inlined = Loops::compile(LOOPS, "inlined", &[]);
    let so = Loops::compile(LOOPS, "called", &["-DKREF_NO_INLINE"]);
    let archive = Prefix::plain().archive().display().to_string();
    // Hidden, the archive's functions are called as a program's own functions are.
    let hidden = ["-DKREF_NO_INLINE", &archive, "-Wl,--exclude-libs,ALL"];
    let a = Loops::compile(LOOPS, "archive", &hidden);
    [
        inlined.contender(INLINED, "get_put"),
        so.contender(SHARED, "get_put"),
        a.contender(ARCHIVE, "get_put"),
        inlined.contender(INIT, "init_put"),
        inlined.contender(LOOKUP_MUTEX, "lookup_mutex"),
        inlined.contender(SLOT, "lookup_slot"),
        inlined.contender(PERCPU, "percpu_get_put"),
        so.contender(PERCPU_SHARED, "percpu_get_put"),
        a.contender(PERCPU_ARCHIVE, "percpu_get_put"),
        inlined.contender(PERCPU_SLOT, "lookup_percpu_slot"),
        so.contender(PERCPU_SLOT_SHARED, "lookup_percpu_slot"),
        inlined.contender(OWN, "get_put_of_own"),
    ]
}
