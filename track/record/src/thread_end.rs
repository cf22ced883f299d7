//! The end of a thread: its state and its ring serve another.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicI32, Ordering::Relaxed};

use crate::own::own;
use crate::thread::{self, State};
use crate::{process, session};

/// The key whose destructor gives a state back. -1: there is none.
static KEY: AtomicI32 = AtomicI32::new(-1);
/// glibc has room for as many keys in a thread's descriptor, and allocates for others.
const KEYS: u32 = 32;

/// Lets a thread's state serve another when the thread ends.
pub fn set_up() {
    let mut key = 0;
    // SAFETY: `key` is ours to fill.
    if unsafe { libc::pthread_key_create(&mut key, Some(end)) } != 0 {
        return;
    }
    if key < KEYS {
        KEY.store(key as i32, Relaxed);
    } else {
        // SAFETY: created above.
        unsafe { libc::pthread_key_delete(key) };
    }
}

/// Makes the C library call [`end`] when the calling thread ends. `false`: the library will not call it. So it is if
/// the thread has no state.
pub fn expect(state: *mut State) -> bool {
    let key = KEY.load(Relaxed);
    // SAFETY: a key of ours, with which the C library allocates nothing.
    let set = || unsafe { libc::pthread_setspecific(key as libc::pthread_key_t, state.cast()) };
    key >= 0 && set() == 0 && !state.is_null()
}

unsafe extern "C" fn end(_: *mut c_void) {
    let own = own();
    if !thread::is_known() {
        return;
    }
    thread::end(own);
    let ring = session::ring(own.ring.load(Relaxed));
    let (process, number) = (own.process.load(Relaxed), own.number.load(Relaxed));
    // From here on a handler or a later destructor of this thread begins it as another.
    own.process.store(0, Relaxed);
    if let Some(ring) = ring {
        ring.let_go(process, Some(number));
    }
    let state = own.state.swap(ptr::null_mut(), Relaxed);
    // SAFETY: null, or a state of this thread, which stays mapped.
    if let Some(state) = unsafe { state.as_ref() } {
        process::leave_state(state);
    }
}
