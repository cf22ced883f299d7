//! The tables of objects: what finds an object by its id.

use std::sync::Mutex;

use kref::Pool;
use kref_bench::{Contender, Loops, has_header, package_flags, resident};
use sharded_slab::Slab;
use slotmap::{DefaultKey, SlotMap};

use crate::rust::{self, Walk};

/// The floor: the object is at hand, and only its count is used.
pub const AT_HAND: &str = "no table: kref_get_unless_zero";
/// What the goals are for.
pub const POOL: &str = "kref_pool_get, inlined";
/// The function that KREF_POOL_DEFINE makes.
pub const TYPED: &str = "session_by_handle, inlined";
/// Without inlining.
pub const CALLED: &str = "kref_pool_get, in libkref.so";
/// In Rust.
pub const RUST: &str = "Rust, Pool";
/// What people have otherwise.
pub const PEERS: [&str; 6] = [
    "mutex + array",
    "mutex + uthash",
    "rwlock + uthash",
    "rculfhash + kref_get_unless_zero",
    "sharded-slab (Rust)",
    "mutex + SlotMap + Arc (Rust)",
];

/// A table that is full of objects.
pub struct Table {
    /// The row's name.
    pub name: &'static str,
    /// The bytes of memory for each object, without the benchmark's own list of ids.
    pub bytes: f64,
    /// Whether objects can be replaced.
    changes: bool,
    work: &'static Work,
    enter: &'static Step,
    leave: &'static Step,
}

/// So many operations. If the second number is not 0, one operation of so many replaces an object.
type Work = dyn Fn(u64, u64) + Sync;
type Step = dyn Fn() + Sync;

impl Table {
    /// The table as a contender. One operation of `every` replaces an object, or none if `every` is 0.
    pub fn contender(&self, every: u64) -> Option<Contender> {
        let Self { work, enter, leave, .. } = *self;
        let contender = Contender::new(self.name, move |n| work(n, every)).between(enter, leave);
        (self.changes || every == 0).then_some(contender)
    }
}

/// All tables of so many objects, and the packages of those that are not installed.
pub fn found(objects: usize) -> (Vec<Table>, Vec<&'static str>) {
    let flags = format!("-DOBJECTS={objects}");
    let c = |name, file, more: &[&str]| in_c(name, file, objects, &[&[&*flags], more].concat());
    let mut tables = vec![
        Table { changes: false, ..c(AT_HAND, "at_hand", &[]) },
        c(POOL, "pool", &[]),
        c(TYPED, "pool", &["-DTYPED"]),
        c(CALLED, "pool", &["-DKREF_NO_INLINE"]),
        Table { changes: false, ..in_rust::<Pool<_>>(RUST, objects) },
        c(PEERS[0], "array", &[]),
    ];
    let mut missing = Vec::new();
    if has_header("uthash.h") {
        tables.extend([c(PEERS[1], "uthash", &[]), c(PEERS[2], "uthash", &["-DRWLOCK"])]);
    } else {
        missing.push("uthash");
    }
    match (package_flags("liburcu-cds"), package_flags("liburcu")) {
        (Some(cds), Some(urcu)) => {
            let flags: Vec<_> = cds.iter().chain(&urcu).map(String::as_str).collect();
            let flags = [&["-ftls-model=initial-exec"], &flags[..]].concat();
            tables.push(c(PEERS[3], "rculfhash", &flags));
        }
        _ => missing.push("liburcu-cds"),
    }
    tables.push(in_rust::<Slab<_>>(PEERS[4], objects));
    tables.push(in_rust::<Mutex<SlotMap<DefaultKey, _>>>(PEERS[5], objects));
    (tables, missing)
}

/// A file of peers/, which fills its table when it is loaded.
fn in_c(name: &'static str, file: &str, objects: usize, flags: &[&str]) -> Table {
    let source = format!("bench/pool/peers/{file}.c");
    let object = format!("{}, {objects} objects", name.replace('/', " "));
    let before = resident();
    let loops = Loops::compile(&source, &object, flags);
    let bytes = bytes(before, objects);
    let (look, mixed) = (loops.function("look"), loops.mixed("mixed"));
    let work = move |n, every| if every == 0 { look(n) } else { mixed(n, every) };
    let (mut enter, mut leave): (&Step, &Step) = (&|| (), &|| ());
    if file == "rculfhash" {
        enter = Box::leak(Box::new(loops.plain("enter")));
        leave = Box::leak(Box::new(loops.plain("leave")));
    }
    Table { name, bytes, changes: true, work: Box::leak(Box::new(work)), enter, leave }
}

fn in_rust<T: rust::Table>(name: &'static str, objects: usize) -> Table {
    let before = resident();
    let walk = Walk::<T>::new(objects);
    let bytes = bytes(before, objects);
    let work = Box::leak(Box::new(move |n, every| walk.work(n, every)));
    Table { name, bytes, changes: true, work, enter: &|| (), leave: &|| () }
}

/// The memory for each object since `before`.
fn bytes(before: usize, objects: usize) -> f64 {
    (resident() - before) as f64 / objects as f64 - size_of::<u64>() as f64
}
