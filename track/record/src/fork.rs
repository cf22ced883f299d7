//! fork(): the child's objects are those that the parent has at an event before the fork.
//!
//! The handlers of the library that was loaded first run last before the fork, and first after it. So nothing that the
//! program does in its own handlers comes between.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use wire::record::Kind;

use crate::event::{Event, record};
use crate::own::own;
use crate::{process, session, thread};

/// The number of the last fork in this process.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Announces the recorder to fork().
pub fn set_up() {
    unsafe extern "C" {
        fn pthread_atfork(
            prepare: Option<unsafe extern "C" fn()>,
            parent: Option<unsafe extern "C" fn()>,
            child: Option<unsafe extern "C" fn()>,
        ) -> libc::c_int;
    }
    // SAFETY: functions that stay, as this library does.
    unsafe { pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
}

/// A signal handler may fork while it interrupts a call of the recorder that is about to move the head of this
/// thread's ring. The event moves the head first. So the interrupted call finds another head and takes nothing,
/// neither in the parent nor in the child, whose words would lie between the parent's records.
unsafe extern "C" fn before() {
    let marker = 0_u64;
    if session::head().is_some()
        && let Some(mut guard) = thread::enter(&raw const marker as u64)
    {
        let number = LAST.fetch_add(1, Relaxed) + 1;
        let event = Event { detail: number, ..Event::of(Kind::Forking, 0) };
        if record(&event, 0, &mut guard) {
            own().fork.store(number, Relaxed);
        }
    }
}

unsafe extern "C" fn in_parent() {
    own().fork.store(0, Relaxed);
}

unsafe extern "C" fn in_child() {
    process::after_fork();
    process::begin(own());
}
