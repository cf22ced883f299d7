//! What a stack says: the program's functions, and what libkref was called for.

use crate::code::{Code, PlaceId, Stack};
use crate::symbols::Frame;

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
            for frame in frames.take_while(|frame| is_ours(frame, is_shared)) {
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
    let calls_of = |(&at, call)| code.frames(at).iter().map(move |frame| (frame, call));
    let mut all = places.iter().zip(0_u8..).flat_map(calls_of).peekable();
    while let Some((frame, call)) = all.next() {
        if is_ours(frame, is_shared) {
            in_lookup |= !leading && c_name(frame.function) == "kref_lookup_mutex";
            called = called.or(frames.len().checked_sub(1));
        } else if leading && all.next_if(|(next, _)| is_call_of_ref(frame, next)).is_some() {
            continue;
        } else {
            leading = false;
            release = called;
            frames.push(*frame);
            calls.push(call);
        }
    }
    while frames.last().is_some_and(is_start) {
        frames.pop();
        calls.pop();
    }
    let release = release.and_then(|at| u8::try_from(at).ok());
    Described { frames: frames.into(), calls: calls.into(), in_lookup, release }
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
    let in_archive =
        || ["kref_", "percpu_ref_", "kref::"].iter().any(|start| name.starts_with(start));
    frame.module.starts_with("libkref.so")
        || HEADERS.iter().any(|header| frame.file.ends_with(header))
        || (frame.file.is_empty() && !is_shared && in_archive())
}

/// Whether these are the two functions of KREF_DEFINE() by which a libkref::ref takes or gives back a reference:
/// session_ref() or session_unref(), and a member of session_kref_calls. Their line is that of KREF_DEFINE(), and the
/// caller's line tells more.
fn is_call_of_ref(inner: &Frame, outer: &Frame) -> bool {
    let call = c_name(outer.function).split_once("_kref_calls::");
    call.and_then(|(name, call)| Some((inner.function.strip_prefix(name)?, call))).is_some_and(
        |pair| {
            matches!(
                pair,
                ("_ref", "take")
                    | ("_ref_unless_zero", "take_unless_zero")
                    | ("_unref", "give_back")
            )
        },
    )
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
