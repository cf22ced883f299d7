//! What a stack says: the program's functions, and what libkref was called for.

use crate::code::{Code, PlaceId, Stack};
use crate::symbols::{Frame, KREF_DEFINE};

/// What is done to a count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Call {
    /// A reference is taken.
    Get,
    /// One is given back.
    Put,
    /// Not known.
    #[default]
    Unknown,
}

/// What libkref's own frames, the innermost ones, tell.
#[derive(Debug, Clone, Copy, Default)]
pub struct Leading {
    /// What libkref was called for, where debug information or its symbols tell.
    pub call: Call,
    /// Whether this is a get of kref_thread_create()'s, for its thread.
    pub for_thread: bool,
    /// Whether this is the get of a kref_lookup_mutex().
    pub by_lookup: bool,
    /// Whether this is a put that calls the release function with a mutex held: kref_put_mutex().
    pub by_put_mutex: bool,
    /// Whether this is a get that may find no reference: kref_get_unless_zero().
    pub unless_zero: bool,
}

/// What all frames tell.
pub struct Described {
    /// The functions, the innermost first, without libkref's.
    pub frames: Box<[Frame]>,
    /// For each of these, which of the stack's places it is at.
    pub calls: Box<[u8]>,
    /// Whether this is in the find function of a kref_lookup_mutex().
    pub in_lookup: bool,
    /// The release function, or another that libkref called here, as an index of `frames`: the innermost.
    pub release: Option<u8>,
}

impl Stack {
    /// What libkref's own frames tell. No more frames are looked up than it takes.
    pub fn leading(&self, code: &Code) -> Leading {
        *self.leading.get_or_init(|| {
            let is_shared = self.has_shared_libkref(code);
            let mut leading = Leading::default();
            let frames = self.places.iter().flat_map(|&place| code.frames(place));
            let ours = frames.take_while(|frame| is_ours(frame, is_shared));
            // The program has chosen the names of the functions that KREF_DEFINE() made.
            for frame in ours.filter(|frame| frame.file != KREF_DEFINE) {
                let name = c_name(frame.function);
                if name.contains("_put") {
                    leading.call = Call::Put;
                } else if name.contains("_get") {
                    leading.call = Call::Get;
                }
                leading.for_thread |= name == "kref_thread_create";
                leading.by_lookup |= name == "kref_lookup_mutex";
                leading.by_put_mutex |=
                    name.contains("put_mutex") || name.contains("and_mutex_lock");
                leading.unless_zero |= name.contains("unless_zero") || name.contains("not_zero");
            }
            leading
        })
    }

    /// What all frames tell.
    pub fn described(&self, code: &Code) -> &Described {
        self.described.get_or_init(|| describe(&self.places, self.has_shared_libkref(code), code))
    }

    fn has_shared_libkref(&self, code: &Code) -> bool {
        self.places.iter().any(|&place| code.is_in_libkref(place))
    }
}

fn describe(places: &[PlaceId], is_shared: bool, code: &Code) -> Described {
    let (mut frames, mut calls) = (Vec::new(), Vec::new());
    let (mut leading, mut in_lookup) = (true, false);
    let (mut called, mut release) = (None, None);
    for (frame, call) in all_frames(above_start(places, code), code) {
        if is_ours(&frame, is_shared) {
            in_lookup |= !leading && c_name(frame.function) == "kref_lookup_mutex";
            called = called.or(frames.len().checked_sub(1));
        } else {
            leading = false;
            release = called;
            frames.push(frame);
            calls.push(call);
        }
    }
    let release = release.and_then(|at| u8::try_from(at).ok());
    Described { frames: frames.into(), calls: calls.into(), in_lookup, release }
}

/// The functions of a stack, the innermost first, and which place each is at. A function whose last call was a jump has
/// no place of its own: it had the frame of the function that it has called.
fn all_frames(places: &[PlaceId], code: &Code) -> Vec<(Frame, u8)> {
    let mut all = Vec::new();
    for (at, call) in (0..places.len()).zip(0_u8..) {
        all.extend(code.frames(places[at]).iter().map(|frame| (*frame, call)));
        let outer = places.get(at + 1);
        let jumps = outer.map_or(Vec::new(), |&outer| code.tail_calls(places[at], outer));
        let tails = jumps.into_iter().flat_map(|jump| code.frames(jump));
        all.extend(tails.map(|frame| (Frame { is_tail: true, ..*frame }, call)));
    }
    all
}

/// The C name of a function of libkref: `at_kref_put` is the Rust function behind `kref_put`. Of a function in
/// kref.hpp, the name without the types of the program.
fn c_name(function: &str) -> &str {
    let name = function.split(['<', '(']).next().unwrap_or(function);
    name.strip_prefix("at_").unwrap_or(name)
}

/// Whether it is libkref's: in the shared library, inlined from the header, or in the archive.
fn is_ours(frame: &Frame, is_shared: bool) -> bool {
    const HEADERS: [&str; 6] = [
        "kref/inline.h",
        "kref/percpu_inline.h",
        "kref/tsan.h",
        "/kref.hpp",
        "kref/linux/refcount.h",
        "kref/linux/kref_locks.h",
    ];
    let name = c_name(frame.function);
    let in_header = || HEADERS.iter().any(|header| frame.file.ends_with(header));
    let in_archive =
        || ["kref_", "percpu_ref_", "kref::"].iter().any(|start| name.starts_with(start));
    frame.module.starts_with("libkref.so")
        || frame.file == KREF_DEFINE
        || in_header()
        || (frame.file.is_empty() && !is_shared && in_archive())
}

/// The places without what the C library and the dynamic linker have below main(), a thread's function, a constructor or
/// a destructor: it tells nobody anything. The names of these functions would be the dearest of all: the C library's debug
/// information is large, and often compressed.
fn above_start<'a>(places: &'a [PlaceId], code: &Code) -> &'a [PlaceId] {
    const START: [&str; 5] = [
        "_start",
        "__libc_start_main",
        "__libc_start_main_impl",
        "__libc_start_call_main",
        "clone3",
    ];
    const FILES: [&str; 5] = ["libc.so", "libc-2.", "ld-linux", "ld-musl", "ld64.so"];
    let is_libc = |name: &str| FILES.iter().any(|file| name.starts_with(file));
    let is_start = |&place: &PlaceId| {
        code.file(place).is_some_and(|file| is_libc(file.name))
            || code.frames(place).last().is_some_and(|frame| START.contains(&frame.function))
    };
    let end = places.iter().rposition(|place| !is_start(place));
    &places[..end.map_or(0, |last| last + 1)]
}
