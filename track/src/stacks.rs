//! Each stack once: by its number events and references name it.

use std::hash::Hasher;
use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use rustc_hash::{FxBuildHasher, FxHasher};
use std::collections::HashMap;

use crate::lock::Lock;
use crate::symbols::{self, Frame};
use crate::thread::{Inside, REMEMBERED};
use crate::unwind::{self, Walk};
use crate::{memory, modules, slow};

/// A stack's number. 0 is the stack that is not known.
pub type Id = u32;

/// What is done to a count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A reference is taken.
    Get,
    /// One is given back.
    Put,
    /// Not known.
    Unknown,
}

/// A stack that was met.
pub struct Stack {
    /// The functions, the innermost first, without libkref's.
    pub frames: Box<[Frame]>,
    /// What libkref was called for, where debug information or its symbols tell.
    pub call: Call,
    /// Whether this is a get of kref_thread_create()'s, for its thread.
    pub for_thread: bool,
    /// Whether this is the get of a kref_lookup_mutex().
    pub by_lookup: bool,
    /// Whether this is in the find function of a kref_lookup_mutex().
    pub in_lookup: bool,
    /// Whether objects that were created here are found by kref_lookup_mutex().
    pub is_looked_up: AtomicBool,
    /// The release function of objects that were created here, once a put has told.
    pub release: AtomicUsize,
}

const SHARDS: usize = 64;
const CHUNK: usize = 4096;
const CHUNKS: usize = 256;

type Shard = HashMap<u64, Id, FxBuildHasher>;
static IDS: [Lock<Shard>; SHARDS] =
    [const { Lock::new(HashMap::with_hasher(FxBuildHasher)) }; SHARDS];
static CHUNK_POINTERS: [AtomicPtr<[AtomicPtr<Stack>; CHUNK]>; CHUNKS] =
    [const { AtomicPtr::new(std::ptr::null_mut()) }; CHUNKS];
static NEXT: AtomicU32 = AtomicU32::new(1);
/// Changes when a module is unloaded: the same addresses are another stack then.
static EPOCH: AtomicU64 = AtomicU64::new(0);
/// Stacks for which there was no room.
pub static LOST: AtomicU64 = AtomicU64::new(0);

/// Changes when modules were unloaded.
pub fn epoch() -> u64 {
    EPOCH.load(Relaxed)
}

/// The stack by its number.
pub fn get(id: Id) -> Option<&'static Stack> {
    let chunk = CHUNK_POINTERS.get(id as usize / CHUNK)?.load(Acquire);
    // SAFETY: chunks and stacks are never freed. Acquire: pairs with the releases in `keep`.
    unsafe { chunk.as_ref()?[id as usize % CHUNK].load(Acquire).as_ref() }
}

/// The number of the stack that `walk` found.
pub fn intern(walk: &Walk, inside: &mut Inside) -> Id {
    let hash = hash(walk);
    let slot = hash as usize % REMEMBERED;
    let (known, id) = inside.own().stacks[slot];
    if known == hash {
        return id;
    }
    let id = look_up(hash).unwrap_or_else(|| meet(walk, hash));
    inside.own().stacks[slot] = (hash, id);
    id
}

fn hash(walk: &Walk) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u64(EPOCH.load(Relaxed));
    for &ip in walk.ips() {
        hasher.write_u64(ip);
    }
    hasher.finish() | 1 // 0 is what an empty slot holds
}

fn shard(hash: u64) -> &'static Lock<Shard> {
    &IDS[(hash >> 32) as usize % SHARDS]
}

fn look_up(hash: u64) -> Option<Id> {
    shard(hash).lock().get(&hash).copied()
}

/// A stack that is new: the moment to see whether modules have come or gone, and to learn its names,
/// while the modules are there.
#[cold]
fn meet(walk: &Walk, hash: u64) -> Id {
    if !memory::has_room() {
        LOST.fetch_add(1, Relaxed);
        return 0;
    }
    let mut stack = None;
    slow::run(|| {
        if unwind::refresh() {
            EPOCH.store(modules::unloaded(), Relaxed);
        }
        stack = Some(describe(walk));
    });
    let Some(stack) = stack else { return 0 };
    let mut ids = shard(hash).lock();
    if let Some(&id) = ids.get(&hash) {
        return id; // another thread was faster
    }
    let id = keep(Box::leak(Box::new(stack)));
    if id != 0 && ids.try_reserve(1).is_ok() {
        ids.insert(hash, id);
    }
    id
}

/// Gives a stack its number.
fn keep(stack: &'static mut Stack) -> Id {
    let id = NEXT.fetch_add(1, Relaxed);
    let Some(chunk) = CHUNK_POINTERS.get(id as usize / CHUNK) else {
        NEXT.fetch_sub(1, Relaxed);
        LOST.fetch_add(1, Relaxed);
        return 0;
    };
    let mut stacks = chunk.load(Acquire);
    if stacks.is_null() {
        let new = Box::into_raw(Box::new([const { AtomicPtr::new(std::ptr::null_mut()) }; CHUNK]));
        // Release: pairs with the acquire in `get`.
        stacks = match chunk.compare_exchange(stacks, new, Release, Acquire) {
            Ok(_) => new,
            Err(other) => {
                // SAFETY: nobody else has seen it.
                drop(unsafe { Box::from_raw(new) });
                other
            }
        };
    }
    // SAFETY: never freed. Release: pairs with the acquire in `get`.
    unsafe { (*stacks)[id as usize % CHUNK].store(stack, Release) };
    id
}

fn describe(walk: &Walk) -> Stack {
    let mut frames = Vec::new();
    let (mut leading, mut call) = (true, Call::Unknown);
    let (mut for_thread, mut by_lookup, mut in_lookup) = (false, false, false);
    for &ip in walk.ips() {
        for frame in symbols::at(ip) {
            if is_ours(&frame) {
                let name = c_name(frame.function);
                if leading && name.contains("_put") {
                    call = Call::Put;
                } else if leading && name.contains("_get") {
                    call = Call::Get;
                }
                for_thread |= leading && name == "kref_thread_create";
                by_lookup |= leading && name == "kref_lookup_mutex";
                in_lookup |= !leading && name == "kref_lookup_mutex";
            } else {
                leading = false;
                frames.push(frame);
            }
        }
    }
    while frames.last().is_some_and(is_start) {
        frames.pop();
    }
    Stack {
        frames: frames.into(),
        call,
        for_thread,
        by_lookup,
        in_lookup,
        is_looked_up: AtomicBool::new(false),
        release: AtomicUsize::new(0),
    }
}

/// The C name of a function of libkref: `at_kref_put` is the Rust function behind `kref_put`. Of a function in
/// kref.hpp, the name without the types of the program.
fn c_name(function: &str) -> &str {
    let name = function.split(['<', '(']).next().unwrap_or(function);
    name.strip_prefix("at_").unwrap_or(name)
}

/// Whether it is libkref's: in the shared library, inlined from the header, or in the archive.
fn is_ours(frame: &Frame) -> bool {
    const HEADERS: [&str; 4] =
        ["kref/inline.h", "kref/percpu_inline.h", "kref/tsan.h", "/kref.hpp"];
    let name = c_name(frame.function);
    let in_archive =
        || ["kref_", "percpu_ref_", "kref::"].iter().any(|start| name.starts_with(start));
    frame.module.starts_with("libkref.so")
        || HEADERS.iter().any(|header| frame.file.ends_with(header))
        || (frame.file.is_empty() && !modules::libkref_is_shared() && in_archive())
}

/// What the C library has below main() and below a thread's function: it tells nobody anything.
fn is_start(frame: &Frame) -> bool {
    const START: [&str; 5] = [
        "_start",
        "__libc_start_main",
        "__libc_start_main_impl",
        "__libc_start_call_main",
        "clone3",
    ];
    let of_libc = frame.module.starts_with("libc.so") || frame.module.starts_with("libc-");
    START.contains(&frame.function) || of_libc
}

/// The number of stacks.
pub fn count() -> u32 {
    NEXT.load(Relaxed) - 1
}

/// Around a fork.
pub fn before_fork() {
    IDS.iter().for_each(Lock::take);
}

/// In the parent and in the child.
pub fn after_fork() {
    IDS.iter().for_each(Lock::give_back);
}
