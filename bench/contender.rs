//! The contenders: each does its operation n times.

use std::ffi::{c_int, c_ulong, c_void};
use std::path::PathBuf;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, Ordering::SeqCst, compiler_fence};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use kref::Kref;
use kref_c_tests::{Compiler, Kind, Prefix, project, run, scratch};
use libloading::Library;

/// Something that can be done n times, by several threads at once.
pub struct Contender {
    pub name: &'static str,
    /// What it must not exceed, as a ratio to the first contender.
    pub limit: Option<f64>,
    work: Box<dyn Fn(u64) + Sync>,
}

impl Contender {
    /// How long `threads` threads take for `n` operations each.
    pub fn time(&self, n: u64, threads: usize) -> Duration {
        if threads == 1 {
            let start = Instant::now();
            (self.work)(n);
            return start.elapsed();
        }
        let (ready, done) = (Barrier::new(threads + 1), Barrier::new(threads + 1));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    ready.wait();
                    (self.work)(n);
                    done.wait();
                });
            }
            ready.wait();
            let start = Instant::now();
            done.wait();
            start.elapsed()
        })
    }
}

/// Has two cache lines to itself, so that the contenders do not disturb each other.
#[repr(align(128))]
struct Alone<T>(T);

fn alone<T>(value: T) -> &'static T {
    &Box::leak(Box::new(Alone(value))).0
}

/// How the C loops are linked.
#[derive(Clone, Copy)]
enum Linked {
    Inline,
    Static,
    Shared,
}

/// loops.c as a shared object, for the life of the process.
fn loops(linked: Linked) -> &'static Library {
    let prefix = Prefix::plain();
    let (name, flags) = match linked {
        Linked::Inline => ("inline", vec![]),
        // As in a program: the library's functions are called directly.
        Linked::Static => ("static", vec!["-DKREF_NO_INLINE", "-Wl,--exclude-libs,ALL"]),
        Linked::Shared => ("shared", vec!["-DKREF_NO_INLINE"]),
    };
    let folder = scratch().join("bench");
    std::fs::create_dir_all(&folder).expect("target can be written");
    let object: PathBuf = folder.join(format!("loops-{name}.so"));
    let compiler = Compiler::find(Kind::Gcc).unwrap_or_else(Compiler::any);
    let mut compile = compiler.command();
    compile.args(["-O2", "-Wall", "-fPIC", "-shared"]).args(flags);
    compile.arg("-I").arg(prefix.include()).arg(project().join("bench/loops.c"));
    match linked {
        Linked::Static => compile.arg(prefix.archive()),
        _ => compile.arg(prefix.lib().join("libkref.so")),
    };
    compile.arg(format!("-Wl,-rpath,{}", prefix.lib().display())).arg("-o").arg(&object);
    let compiled = run(&mut compile);
    assert!(compiled.success, "loops.c does not compile:\n{}", compiled.output);
    // SAFETY: loops.c and libkref do nothing at load time that could disturb this process.
    let library = unsafe { Library::new(&object) };
    Box::leak(Box::new(library.unwrap_or_else(|error| panic!("{}: {error}", object.display()))))
}

type Loop = unsafe extern "C" fn(*mut c_void, c_ulong);

/// The C loop of that name, on `object`, which is what the loop takes.
fn c_loop<T: Sync>(
    name: &'static str,
    linked: Linked,
    function: &str,
    object: &'static T,
) -> Contender {
    // SAFETY: loops.c declares all its loops so.
    let function: Loop = unsafe { *loops(linked).get(function).expect("a loop of loops.c") };
    let work = move |n| {
        // SAFETY: the object is what the loop takes, is held for good, and all of it is atomic.
        unsafe { function(std::ptr::from_ref(object).cast_mut().cast(), n) }
    };
    Contender { name, limit: None, work: Box::new(work) }
}

/// Taking a reference and giving it back; the first is what the others are compared with.
pub fn references() -> Vec<Contender> {
    let limited = |limit, contender| Contender { limit: Some(limit), ..contender };
    let kref = || alone(Kref::new());
    let by_hand =
        c_loop("C11 atomics by hand", Linked::Inline, "by_hand", alone(AtomicI32::new(1)));
    let inline = c_loop("kref, C inlined", Linked::Inline, "get_put", kref());
    let static_ = c_loop("kref, C called in libkref.a", Linked::Static, "get_put", kref());
    let shared = c_loop("kref, C called in libkref.so", Linked::Shared, "get_put", kref());
    vec![
        by_hand,
        limited(1.05, inline),
        limited(1.25, static_),
        limited(1.25, shared),
        rust_kref(kref()),
        std_arc(),
    ]
}

fn rust_kref(kref: &'static Kref) -> Contender {
    let work = move |n| {
        for _ in 0..n {
            kref.get();
            compiler_fence(SeqCst);
            // SAFETY: the reference was just taken; the object is never released.
            unsafe { Kref::put(NonNull::from(kref), |_| unreachable!("it is held")) };
            compiler_fence(SeqCst);
        }
    };
    Contender { name: "kref, Rust", limit: None, work: Box::new(work) }
}

fn std_arc() -> Contender {
    let arc = Arc::new(Alone(c_int::default()));
    let work = move |n| {
        for _ in 0..n {
            drop(std::hint::black_box(Arc::clone(&arc)));
        }
    };
    Contender { name: "std::sync::Arc", limit: None, work: Box::new(work) }
}

/// Looking up the one published object, and giving the reference back.
pub fn lookups() -> Vec<Contender> {
    let (in_slot, in_table) = (alone(Kref::new()), alone(Kref::new()));
    type Publish = unsafe extern "C" fn(*const Kref, *const Kref);
    // SAFETY: loops.c declares it so.
    let publish: Publish = unsafe { *loops(Linked::Inline).get("publish").expect("publish") };
    // SAFETY: both are there for good, and each has a reference to give.
    unsafe { publish(in_slot, in_table) };
    vec![
        c_loop("mutex by hand", Linked::Inline, "mutex_lookup_by_hand", in_table),
        c_loop("kref_lookup_mutex", Linked::Inline, "mutex_lookup", in_table),
        c_loop("kref_slot_get", Linked::Inline, "slot_lookup", in_slot),
    ]
}
