//! fork(): nobody else may be in the midst of something of ours, since the child would wait for it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::thread::{BROKEN, Inside};
use crate::{
    freed, memory, misuse, modules, object, output, signal, slow, stacks, stale, symbols, table,
    thread,
};

/// Whether this fork came from a signal handler that interrupted the tracker: then nothing can be
/// waited for, and the child does without.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Announces us to fork().
pub fn set_up() {
    // SAFETY: functions that stay, as this library does.
    unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
}

unsafe extern "C" fn before() {
    let inside = thread::enter();
    let usable = inside.as_ref().is_some_and(Inside::is_outermost);
    INTERRUPTED.store(!usable, Relaxed);
    if usable {
        // In the order in which they are taken within each other; the heap, which all use, is last.
        freed::before_fork();
        misuse::before_fork();
        stale::before_fork();
        output::before_fork();
        table::before_fork();
        slow::before_fork();
        stacks::before_fork();
        symbols::before_fork();
        modules::before_fork();
        thread::before_fork();
        memory::before_fork();
    }
    // Until the fork is over this thread stays inside, so that a handler's events are queued.
    std::mem::forget(inside);
}

fn after() {
    if !INTERRUPTED.load(Relaxed) {
        memory::after_fork();
        thread::after_fork();
        modules::after_fork();
        symbols::after_fork();
        stacks::after_fork();
        slow::after_fork();
        table::after_fork();
        output::after_fork();
        stale::after_fork();
        misuse::after_fork();
        freed::after_fork();
    }
    thread::leave();
}

unsafe extern "C" fn in_parent() {
    after();
}

unsafe extern "C" fn in_child() {
    let interrupted = INTERRUPTED.load(Relaxed);
    BROKEN.store(interrupted, Relaxed);
    if interrupted {
        thread::leave();
        return;
    }
    after();
    thread::renew();
    // What the parent holds is the parent's to give back: the child answers for what it takes.
    object::MARK.fetch_add(1, Relaxed);
    output::FOUND.store(0, Relaxed);
    stale::forget();
    signal::renew();
}
