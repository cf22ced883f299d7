//! A thread's events that wait for the call of ours which they interrupted.
//!
//! Pushed by signal handlers, which may interrupt each other; taken by the outermost call, which they
//! may interrupt, too. All on one thread: what is atomic here is so against handlers. It grows as long
//! as the kernel has memory: mmap() may be called in a handler, malloc() may not.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};

use crate::event::Queued;
use crate::thread::Signals;

const EVENTS: usize = 64;

/// The events. All bytes zero: none.
pub struct Queue {
    first: Chunk,
    /// Where handlers push; null for `first`. It may lag behind.
    last: AtomicPtr<Chunk>,
}

struct Chunk {
    /// Places that were given out: more than there are, if handlers found it full.
    filled: AtomicUsize,
    next: AtomicPtr<Chunk>,
    events: [UnsafeCell<MaybeUninit<Queued>>; EVENTS],
}

impl Queue {
    /// Adds an event. False: there is no memory.
    pub fn push(&self, event: Queued) -> bool {
        // SAFETY: chunks are freed with signals blocked, when no handler is in here.
        let mut chunk = unsafe { self.last.load(Relaxed).as_ref() }.unwrap_or(&self.first);
        loop {
            let place = chunk.filled.fetch_add(1, Relaxed);
            if let Some(slot) = chunk.events.get(place) {
                // SAFETY: the place is ours by the addition, and is read by the outermost call, which
                // goes on when we have returned.
                unsafe { (*slot.get()).write(event) };
                return true;
            }
            let Some(next) = chunk.grow() else { return false };
            self.last.store(ptr::from_ref(next).cast_mut(), Relaxed);
            chunk = next;
        }
    }

    /// Whether nothing was pushed since all was taken.
    pub fn is_empty(&self) -> bool {
        self.first.filled.load(Relaxed) == 0
    }

    /// Takes all events in their order, and those that come meanwhile.
    pub fn take_all(&self, mut work: impl FnMut(Queued)) {
        let (mut chunk, mut taken) = (&self.first, 0);
        loop {
            while taken < chunk.count() {
                // SAFETY: written by the push that counted it, and read once.
                work(unsafe { (*chunk.events[taken].get()).assume_init_read() });
                taken += 1;
            }
            match chunk.following() {
                Some(next) => (chunk, taken) = (next, 0),
                None => {
                    let _blocked = Signals::block();
                    if chunk.count() == taken && chunk.following().is_none() {
                        return self.clear();
                    }
                }
            }
        }
    }

    /// With signals blocked, and all taken.
    fn clear(&self) {
        let mut chunk = self.first.next.swap(ptr::null_mut(), Relaxed);
        // SAFETY: chunks after the first are mappings of ours, and nobody is in them.
        while let Some(next) = unsafe { chunk.as_ref() }.map(|chunk| chunk.next.load(Relaxed)) {
            // SAFETY: as above.
            unsafe { libc::munmap(chunk.cast(), size_of::<Chunk>()) };
            chunk = next;
        }
        self.last.store(ptr::null_mut(), Relaxed);
        self.first.filled.store(0, Relaxed);
    }
}

impl Chunk {
    fn count(&self) -> usize {
        self.filled.load(Relaxed).min(EVENTS)
    }

    fn following(&self) -> Option<&Self> {
        // SAFETY: as in `push`.
        unsafe { self.next.load(Relaxed).as_ref() }
    }

    /// The chunk after this one: a new one if there is none, and no handler was faster.
    fn grow(&self) -> Option<&Self> {
        if self.following().is_some() {
            return self.following();
        }
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let size = size_of::<Self>();
        // SAFETY: new memory, whose zero bytes are an empty chunk.
        let new = unsafe { libc::mmap(ptr::null_mut(), size, access, kind, -1, 0) };
        if new == libc::MAP_FAILED {
            return None;
        }
        if self.next.compare_exchange(ptr::null_mut(), new.cast(), Relaxed, Relaxed).is_err() {
            // SAFETY: nobody has seen it.
            unsafe { libc::munmap(new, size) };
        }
        self.following()
    }
}
