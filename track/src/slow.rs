//! Work that needs more stack than a thread, or a signal handler's alternate stack, may have: reading
//! symbols. It is done on a stack of ours, by one thread at a time.

use std::ffi::c_void;
use std::ptr;

use crate::lock::Lock;
use crate::processor::call_on;
use crate::thread::Signals;

const SIZE: usize = 1 << 20;

/// The top of our stack, once there is one.
static STACK: Lock<usize> = Lock::new(0);

/// Runs `work` on our stack, undisturbed. Without memory for one: on the thread's own.
pub fn run(mut work: impl FnMut()) {
    let undisturbed = Undisturbed::new();
    let mut top = STACK.lock();
    if *top == 0 {
        *top = map();
    }
    let mut work: &mut dyn FnMut() = &mut work;
    if *top == 0 {
        work();
    } else {
        // SAFETY: the stack is ours alone while the lock is held, and `call` knows its argument.
        unsafe { call_on(*top, call, (&raw mut work).cast()) };
    }
    drop(top);
    drop(undisturbed);
}

/// Around a fork.
pub fn before_fork() {
    STACK.take();
}

/// In the parent and in the child.
pub fn after_fork() {
    STACK.give_back();
}

unsafe extern "C" fn call(work: *mut c_void) {
    // SAFETY: what `run` gave.
    unsafe { (*work.cast::<&mut dyn FnMut()>())() };
}

fn map() -> usize {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: new memory.
    let start = unsafe { libc::mmap(ptr::null_mut(), SIZE, access, kind, -1, 0) };
    if start == libc::MAP_FAILED { 0 } else { start as usize + SIZE }
}

/// While it lives, this thread is not cancelled: open() and read() would be places for it. And its
/// signals wait: a handler's gets and puts could come to more than the queue holds.
pub struct Undisturbed {
    cancellation: libc::c_int,
    _signals: Signals,
}

unsafe extern "C" {
    fn pthread_setcancelstate(state: libc::c_int, before: *mut libc::c_int) -> libc::c_int;
}

impl Undisturbed {
    /// From now on.
    pub fn new() -> Self {
        const DISABLE: libc::c_int = 1;
        let mut before = 0;
        // SAFETY: `before` is ours to fill.
        unsafe { pthread_setcancelstate(DISABLE, &mut before) };
        Self { cancellation: before, _signals: Signals::block() }
    }
}

impl Drop for Undisturbed {
    fn drop(&mut self) {
        // SAFETY: what it was before.
        unsafe { pthread_setcancelstate(self.cancellation, ptr::null_mut()) };
    }
}
