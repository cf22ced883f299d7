//! The memory that the judge shares with the programs that it judges.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::ptr;
use std::sync::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};

use wire::head::{
    ANSWERED, CHAOS, DONE, HEAD_BYTES, Head, KEEP_FREED, LOSSY, Line, MAGIC, MORE, STALE_HANDLES,
    Settings, WITH_TEXT, WITHOUT_TEXT,
};
use wire::ring::Ring;

use crate::maps;
use crate::options::Options;

/// 128 Ki words, and the ring's positions. A thread that does nothing but get and put fills them in about 1 ms.
pub const RING_BYTES: usize = 128 + (1 << 20);
const ANSWER_BYTES: usize = 64 << 10;
const FEWEST_RINGS: usize = 8;
const MOST_RINGS: usize = 30;

/// The memory, mapped.
pub struct Session {
    file: File,
    start: *mut u8,
    bytes: usize,
    rings: Vec<Ring<'static>>,
}

// SAFETY: all that is shared is atomic.
unsafe impl Send for Session {}
// SAFETY: as above.
unsafe impl Sync for Session {}

impl Session {
    /// A new session, with the settings that recorders are to know.
    pub fn new(options: &Options) -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let rings = (2 * cores).clamp(FEWEST_RINGS, MOST_RINGS);
        Self::with_rings(options, rings, RING_BYTES)
    }

    /// A session with this number of rings, each of `ring_bytes` bytes.
    pub fn with_rings(options: &Options, rings: usize, ring_bytes: usize) -> io::Result<Self> {
        let name = format!("{}{}\0", maps::SESSION, std::process::id());
        // SAFETY: a C string.
        let fd = unsafe {
            libc::memfd_create(name.as_ptr().cast(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING)
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: new, and nobody else's.
        let file = unsafe { File::from_raw_fd(fd) };
        let bytes = HEAD_BYTES + ANSWER_BYTES + rings * ring_bytes;
        file.set_len(bytes as u64)?;
        let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
        // A program that makes the memory smaller would end the judge.
        // SAFETY: a bare system call. Without seals it works as well.
        unsafe { libc::fcntl(fd, libc::F_ADD_SEALS, seals) };
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping.
        let start = unsafe { libc::mmap(ptr::null_mut(), bytes, access, libc::MAP_SHARED, fd, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let mut session = Self { file, start: start.cast(), bytes, rings: Vec::new() };
        session.begin(options, rings, ring_bytes);
        Ok(session)
    }

    fn begin(&mut self, options: &Options, rings: usize, ring_bytes: usize) {
        let head = self.start.cast::<Head>();
        // SAFETY: mapped, zero, and nobody else knows of it yet. A head may be zero.
        unsafe {
            (*head).rings = rings as u32;
            (*head).ring_bytes = ring_bytes as u32;
            (*head).answer_bytes = ANSWER_BYTES as u32;
            (*head).judge = std::process::id();
            (*head).settings = settings(options);
        }
        for counter in [&self.head().processes.0, &self.head().threads, &self.head().stacks] {
            counter.store(1, Relaxed);
        }
        self.head().modules.store(1, Relaxed);
        self.head().requests.store(1, Relaxed);
        self.rings = (0..rings)
            .filter_map(|ring| {
                let place = self.start.wrapping_add(self.head().ring_at(ring));
                // SAFETY: inside the mapping, which stays, aligned, and zero at first.
                unsafe { Ring::at(place, ring_bytes) }
            })
            .collect();
        self.live();
        self.head().magic.store(MAGIC, Release);
    }

    /// Takes the mutex that this thread, the judge's first, holds until its end.
    fn live(&self) {
        const { assert!(size_of::<libc::pthread_mutex_t>() <= size_of::<Line<[AtomicU32; 16]>>()) };
        let mutex = (&raw const self.head().mutex).cast_mut().cast();
        // SAFETY: zero at first, large enough and aligned. Nobody but this thread and the kernel writes it.
        unsafe {
            let mut attributes = std::mem::zeroed();
            libc::pthread_mutexattr_init(&mut attributes);
            libc::pthread_mutexattr_setpshared(&mut attributes, libc::PTHREAD_PROCESS_SHARED);
            libc::pthread_mutexattr_setrobust(&mut attributes, libc::PTHREAD_MUTEX_ROBUST);
            libc::pthread_mutex_init(mutex, &attributes);
            libc::pthread_mutex_lock(mutex);
            libc::pthread_mutexattr_destroy(&mut attributes);
        }
    }

    /// The first page.
    pub fn head(&self) -> &Head {
        // SAFETY: mapped as long as the session. What is not atomic in it is not written after `begin`.
        unsafe { &*self.start.cast() }
    }

    /// The rings. They were laid out at the start: what a program writes into the head changes nothing here.
    pub fn rings(&self) -> &[Ring<'static>] {
        &self.rings
    }

    /// Whether any process was ever tracked.
    pub fn had_processes(&self) -> bool {
        self.head().processes.0.load(Relaxed) > 1
    }

    /// The path by which a program opens the memory.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    /// Lets go of the request that asks, since its process is dead.
    pub fn forget(&self, request: u32) {
        self.head().let_go(request);
    }

    /// Answers a request at the desk without a text.
    pub fn answer(&self, request: u32) {
        let desk = &self.head().desks[WITHOUT_TEXT];
        if request != 0 && desk.asking.load(Relaxed) == request {
            // Release: pairs with the recorder's acquire. What was found is told before.
            desk.answered.store(ANSWERED, Release);
        }
    }

    /// Gives the next part of a text to the request that has asked for it, if the asker has copied the part before.
    pub fn give_part(&self, answer: &mut Answer) -> Given {
        let (head, place) = (self.head(), self.start.wrapping_add(Head::answer_at()));
        let desk = &head.desks[WITH_TEXT];
        if desk.asking.load(Relaxed) != answer.request {
            return Given::Last;
        }
        // Acquire: pairs with the release of the recorder, which has copied the part before.
        if desk.answered.load(Acquire) != 0 {
            return Given::Nothing;
        }
        let rest = &answer.text[answer.given..];
        let part = &rest[..rest.len().min(ANSWER_BYTES)];
        // SAFETY: a part fits, and the asker reads it when `answered` says so.
        unsafe { ptr::copy_nonoverlapping(part.as_ptr(), place, part.len()) };
        head.answer_length.store(part.len() as u32, Relaxed);
        let more = if part.len() < rest.len() { MORE } else { 0 };
        // Release: pairs with the recorder's acquire. The part is there.
        desk.answered.store(ANSWERED | more, Release);
        answer.given += part.len();
        if more == 0 { Given::Last } else { Given::Part }
    }
}

/// A text that is given part by part, since it may have more bytes than the answer's part of the memory. The asker
/// may take long to write a part, so nobody waits for the asker.
pub struct Answer {
    request: u32,
    text: Vec<u8>,
    /// The bytes that were given.
    given: usize,
}

impl Answer {
    /// To a request.
    pub fn new(request: u32, text: String) -> Self {
        Self { request, text: text.into_bytes(), given: 0 }
    }
}

/// The outcome of [`Session::give_part`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// The asker has not copied the part before.
    Nothing,
    /// A part, and others will follow.
    Part,
    /// The last part; or the asker asks no more.
    Last,
}

impl Drop for Session {
    fn drop(&mut self) {
        let mutex = (&raw const self.head().mutex).cast_mut().cast();
        // SAFETY: ours. The rings go as well. The mutex leaves the thread's list before.
        unsafe {
            libc::pthread_mutex_unlock(mutex);
            libc::munmap(self.start.cast(), self.bytes);
        }
    }
}

fn settings(options: &Options) -> Settings {
    let mut flags = 0;
    for (is_on, flag) in [
        (options.chaos.is_some(), CHAOS),
        (options.lossy, LOSSY),
        (options.keep_freed, KEEP_FREED),
        (options.stale_handles, STALE_HANDLES),
        (options.stuck > 0, DONE),
    ] {
        flags |= if is_on { flag } else { 0 };
    }
    Settings {
        depth: options.depth as u32,
        sample: options.sample,
        flags,
        exit_code: options.exitcode as u32,
        seed: options.chaos.unwrap_or(0),
        signal: options.signal.unwrap_or(0) as u32,
        filters: filters(),
    }
}

/// The seccomp filters of this process: those of the container.
fn filters() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Seccomp_filters:"));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}
