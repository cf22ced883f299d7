//! fork(): the child's objects are the parent's, up to the number that the next event had at the fork.

use core::sync::atomic::Ordering::Relaxed;

use crate::own::own;
use crate::{process, session, thread, write};

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

unsafe extern "C" fn before() {
    if let Some(head) = session::head() {
        if thread::is_inside() {
            write::move_head(own());
        }
        own().forks_at.store(head.sequence.0.load(Relaxed) + 1, Relaxed);
    }
}

unsafe extern "C" fn in_parent() {
    own().forks_at.store(0, Relaxed);
}

unsafe extern "C" fn in_child() {
    process::after_fork();
}
