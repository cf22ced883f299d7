//! signal=USR1: a running program is asked for a report. The handler only wakes a thread of ours.

use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

use crate::options::options;
use crate::{output, report, thread};

static EVENT: AtomicI32 = AtomicI32::new(-1);

/// Sets the handler and the thread up, if they were asked for.
pub fn set_up() {
    let Some(signal) = options().signal else { return };
    if !renew() {
        return output::say("no thread could be started for signal=");
    }
    // SAFETY: `wake` does what a handler may; all fields are set.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = wake as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(signal, &action, std::ptr::null_mut());
    }
}

/// Starts the thread: also in a fork's child, which has none.
pub fn renew() -> bool {
    if options().signal.is_none() {
        return true;
    }
    // SAFETY: a new descriptor.
    let event = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    let before = EVENT.swap(event, Relaxed);
    if before >= 0 {
        // SAFETY: ours, and the thread that read it is in the parent.
        unsafe { libc::close(before) };
    }
    let mut handle = 0;
    // The program's handlers shall not run on a thread of ours: it inherits what is blocked.
    let blocked = thread::Signals::block();
    // SAFETY: `serve` needs no argument.
    let failed =
        unsafe { libc::pthread_create(&mut handle, std::ptr::null(), serve, std::ptr::null_mut()) };
    drop(blocked);
    if failed == 0 {
        // SAFETY: started just now; nobody joins it.
        unsafe { libc::pthread_detach(handle) };
    }
    failed == 0 && event >= 0
}

extern "C" fn wake(_: libc::c_int) {
    let one = 1_u64;
    // SAFETY: errno is this thread's, and write() may be called in a handler.
    unsafe {
        let errno = *libc::__errno_location();
        libc::write(EVENT.load(Relaxed), (&raw const one).cast(), 8);
        *libc::__errno_location() = errno;
    }
}

extern "C" fn serve(_: *mut libc::c_void) -> *mut libc::c_void {
    let event = EVENT.load(Relaxed);
    let mut count = 0_u64;
    loop {
        // SAFETY: `count` has room for it.
        let read = unsafe { libc::read(event, (&raw mut count).cast(), 8) };
        if read == 8 {
            report::on_request(output::log(), "a signal");
        } else if std::io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            return std::ptr::null_mut();
        }
    }
}
