//! Each operation of `Count` on each edge of the number line, and on memory that is filled with each of
//! the 256 bytes. src/count/mod.rs has the picture. No tracker is set, so a value in the tracked zone is no
//! count.
#![cfg(not(loom))]

use std::ffi::c_void;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed};

use kref::{Count, MAX, SATURATED, Violation, ViolationKind, set_violation_handler};

const FULL: i32 = -1;
const DEAD: i32 = i32::MAX;
const SATURATED_AT: i32 = 0x6000_0000;

/// A stored value as a count.
fn count(stored: i32) -> Count {
    // SAFETY: `Count` is transparent, and an atomic has the representation of its number.
    unsafe { std::mem::transmute::<AtomicI32, Count>(AtomicI32::new(stored)) }
}

fn stored(count: Count) -> i32 {
    // SAFETY: as above.
    unsafe { std::mem::transmute::<Count, AtomicI32>(count) }.into_inner()
}

static TOLD: AtomicU32 = AtomicU32::new(0);

/// Remembers the kind, and that the report names this file.
unsafe extern "C" fn remember(violation: *const Violation, _: *mut c_void) {
    // SAFETY: the library's report.
    let violation = unsafe { &*violation };
    let location = violation.location.expect("a call from Rust");
    assert!(location.file().ends_with("number_line.rs") && violation.caller.is_null());
    TOLD.store(violation.kind as u32, Relaxed);
}

/// What an operation shows: the stored value afterwards, the result, and the kind of violation.
type Outcome = (i32, Option<bool>, u32);

fn observe(at: i32, operation: impl FnOnce(&Count) -> Option<bool>) -> Outcome {
    let count = count(at);
    TOLD.store(0, Relaxed);
    let result = operation(&count);
    (stored(count), result, TOLD.load(Relaxed))
}

#[derive(PartialEq)]
enum Zone {
    Alive,
    Never,
    Saturated,
    Dead,
}

fn zone(s: i32) -> Zone {
    match s {
        ..0 => Zone::Alive,
        0..0x40_0000 => Zone::Never,
        s if s > DEAD - 0x40_0000 => Zone::Dead,
        _ => Zone::Saturated,
    }
}

fn references(s: i32) -> i64 {
    i64::from(s) - i64::from(i32::MIN) + 1
}

fn misused(kind: ViolationKind, result: Option<bool>) -> Outcome {
    (SATURATED_AT, result, kind as u32)
}

/// A get of `n`. `unless_zero` operations refuse a count of zero in silence.
fn get(s: i32, n: i32, most: i64, unless_zero: bool) -> Outcome {
    let taken = unless_zero.then_some(true);
    match zone(s) {
        Zone::Alive if references(s) + i64::from(n) > most => {
            misused(ViolationKind::Overflow, taken)
        }
        Zone::Alive => (s + n, taken, 0),
        Zone::Never | Zone::Dead if unless_zero => (s, Some(false), 0),
        Zone::Never => misused(ViolationKind::NeverInitialised, taken),
        Zone::Dead => misused(ViolationKind::GetOnZero, taken),
        _ => misused(ViolationKind::Saturated, taken),
    }
}

/// A put of `n`: what happens at the last reference, and the results of the other cases.
fn put(s: i32, n: i32, last: Outcome, stays: Option<bool>, misuse: Option<bool>) -> Outcome {
    match zone(s) {
        Zone::Alive if references(s) == i64::from(n) => last,
        Zone::Alive if references(s) > i64::from(n) => (s - n, stays, 0),
        Zone::Never => misused(ViolationKind::NeverInitialised, misuse),
        Zone::Alive | Zone::Dead => misused(ViolationKind::PutOnZero, misuse),
        _ => misused(ViolationKind::Saturated, misuse),
    }
}

fn check(s: i32) {
    let read = match zone(s) {
        Zone::Alive => references(s).min(i64::from(MAX)) as i32,
        Zone::Saturated => SATURATED,
        Zone::Never | Zone::Dead => 0,
    };
    assert_eq!(count(s).read(), read, "{s:#x}");
    let (yes, no) = (Some(true), Some(false));
    let (most, full) = (i64::from(MAX), 1 << 31);
    let dies = (DEAD, yes, 0);
    let as_unit = |f: fn(&Count)| {
        move |count: &Count| {
            f(count);
            None
        }
    };
    let as_bool = |f: fn(&Count) -> bool| move |count: &Count| Some(f(count));
    let table: [(&str, Outcome, Outcome); 12] = [
        ("inc", observe(s, as_unit(|c| c.inc())), get(s, 1, full, false)),
        ("add", observe(s, as_unit(|c| c.add(2))), get(s, 2, most, false)),
        ("inc_not_zero", observe(s, as_bool(|c| c.inc_not_zero())), get(s, 1, most, true)),
        ("add_not_zero", observe(s, as_bool(|c| c.add_not_zero(2))), get(s, 2, most, true)),
        ("inc_acquire", observe(s, as_bool(|c| c.inc_not_zero_acquire())), get(s, 1, most, true)),
        ("add_acquire", observe(s, as_bool(|c| c.add_not_zero_acquire(2))), get(s, 2, most, true)),
        ("dec_and_test", observe(s, as_bool(|c| c.dec_and_test())), put(s, 1, dies, no, no)),
        ("sub_and_test", observe(s, as_bool(|c| c.sub_and_test(2))), put(s, 2, dies, no, no)),
        (
            "dec",
            observe(s, as_unit(|c| c.dec())),
            put(s, 1, misused(ViolationKind::DecToZero, None), None, None),
        ),
        ("dec_not_one", observe(s, as_bool(|c| c.dec_not_one())), put(s, 1, (s, no, 0), yes, yes)),
        (
            "dec_if_one",
            observe(s, as_bool(|c| c.dec_if_one())),
            if s == i32::MIN { dies } else { (s, no, 0) },
        ),
        (
            "dec_and_lock",
            observe(s, as_bool(|c| c.dec_and_lock(&kref::PthreadMutex::new()))),
            put(s, 1, dies, no, no),
        ),
    ];
    for (name, found, expected) in table {
        assert_eq!(found, expected, "{name} at {s:#x}");
    }
}

#[test]
fn each_operation_at_each_edge_and_fill_byte() {
    // SAFETY: the handler may be called by any thread.
    unsafe { set_violation_handler(Some(remember), std::ptr::null_mut()) };
    let edges = [i32::MIN, 0, 0x40_0000, 0x2000_0000, 0x2000_0020, 0x3000_0000, SATURATED_AT];
    for edge in edges.into_iter().chain([DEAD - 0x40_0000, DEAD, FULL]) {
        for step in -5..=5 {
            check(edge.wrapping_add(step));
        }
    }
    for byte in 0..=u8::MAX {
        check(i32::from_ne_bytes([byte; 4]));
    }
    // SAFETY: the default handler.
    unsafe { set_violation_handler(None, std::ptr::null_mut()) };
}

#[test]
fn set_and_new_store_the_same() {
    for (n, expected) in [
        (0, DEAD),
        (1, i32::MIN),
        (2, i32::MIN + 1),
        (MAX, -2),
        (-1, SATURATED_AT),
        (i32::MIN, SATURATED_AT),
    ] {
        assert_eq!(stored(Count::new(n)), expected);
        let count = Count::new(7);
        count.set(n);
        assert_eq!(stored(count), expected);
        let count = Count::new(7);
        count.set_release(n);
        assert_eq!(stored(count), expected);
    }
}
