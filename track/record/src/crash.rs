//! Fatal signals: the judge reads the program's memory while the thread waits, and then the program ends as it would.

use core::ffi::{c_int, c_void};
use core::ptr;

use crate::processor;
use crate::seam::Caller;
use crate::{ask, session};

const FATAL: [c_int; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT];

type Handler = extern "C" fn(c_int, *const libc::siginfo_t, *const c_void);

/// Handles the fatal signals that nobody handles, and the signal that asks for a report. `filtered`: the call may be
/// forbidden, so only what the user has asked for.
pub fn set_up(filtered: bool) {
    for signal in FATAL.into_iter().filter(|_| !filtered) {
        // SAFETY: `action` is filled in before it is read.
        unsafe {
            let mut action: libc::sigaction = core::mem::zeroed();
            let known = libc::sigaction(signal, ptr::null(), &mut action) == 0;
            if known && action.sa_sigaction == libc::SIG_DFL {
                set(signal, crashed, libc::SA_RESETHAND | libc::SA_NODEFER);
            }
        }
    }
    if let Some(settings) = session::settings()
        && settings.signal != 0
    {
        set(settings.signal as c_int, asked, libc::SA_RESTART);
    }
}

fn set(signal: c_int, handler: Handler, flags: c_int) {
    // SAFETY: the handlers do what a handler may; all fields are set.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = flags | libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(signal, &action, ptr::null_mut());
    }
}

/// The interrupted code, as if it had made a call: the judge takes 1 from each return address.
fn caller(context: *const c_void) -> Caller {
    // SAFETY: a handler's third argument.
    let [ip, sp, fp] = unsafe { processor::interrupted(context) };
    Caller { ip: ip.wrapping_add(1), sp, fp }
}

extern "C" fn crashed(signal: c_int, info: *const libc::siginfo_t, context: *const c_void) {
    let marker = 0_u64;
    // SAFETY: the kernel gives the information. A fault has an address.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr().addr()) };
    let by_fault = code > 0;
    let address = if by_fault { address } else { 0 };
    ask::crashed(signal, address, &raw const marker as u64, caller(context));
    if !by_fault {
        // Nothing that the interrupted code does will bring the signal again. It has its default action by now.
        // SAFETY: bare system calls.
        unsafe {
            let [pid, tid] = [libc::SYS_getpid, libc::SYS_gettid]
                .map(|number| processor::system_call(number, [0; 4]) as usize);
            processor::system_call(libc::SYS_tgkill, [pid, tid, signal as usize, 0]);
        }
    }
}

extern "C" fn asked(_: c_int, _: *const libc::siginfo_t, context: *const c_void) {
    let marker = 0_u64;
    // SAFETY: errno is this thread's.
    unsafe {
        let errno = *libc::__errno_location();
        ask::signalled(&raw const marker as u64, caller(context));
        *libc::__errno_location() = errno;
    }
}
