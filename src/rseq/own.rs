//! The rseq areas that libkref registers itself, because musl registers none: one for each thread.
//!
//! A thread's area is registered when the thread first needs it. It is memory of its own, and not thread-local
//! storage, for two reasons:
//!
//! * The kernel writes to a registered area until the thread ends. A detached thread of musl unmaps its stack and
//!   its thread-local storage before it ends. A preemption in between would kill the process.
//! * Thread-local storage at a constant offset is of the model initial-exec, and musl refuses to load a library
//!   with this model by dlopen(3).
//!
//! A thread-specific value of pthreads points to the area. So a thread's end unregisters and unmaps the area, in
//! the destructor of this value. musl clears the value first. A later destructor, or a signal handler, that
//! uses a sequence registers another area. If the destructor does not run again, this area stays mapped and the
//! memory leaks. Nobody unmaps an area that is registered.
//!
//! An area's offset from the thread pointer differs from thread to thread. So a percpu reference stores 0 instead
//! of an offset. When the inlined functions of kref/percpu.h find 0, they call this library.
//!
//! If a thread has an area already, the kernel refuses another one. Then the CPU number in libkref's area stays
//! negative, and each sequence gives up. librseq does not give up, but ends the process. So in a process with
//! librseq, libkref registers nothing, and uses no sequences.
//!
//! [`offset`] may run in a signal handler: musl's pthread_getspecific and pthread_setspecific access an
//! array of the thread, without a lock.

use core::ffi::{c_int, c_void};
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicI32, AtomicIsize};

use super::sequences;
use crate::sys::errno;
use crate::sys::line::change_mask;
use crate::sys::memory;
use crate::sys::weak::weak;

/// The kernel's struct rseq.
#[repr(C, align(32))]
struct Memory {
    cpu_id_start: AtomicI32,
    cpu: AtomicI32,
    rest: [AtomicIsize; 3],
}

const SIZE: usize = size_of::<Memory>();
const NO_CPU: i32 = -1;
const REGISTER: c_int = 0;
const UNREGISTER: c_int = 1;
/// Stands before each abort handler.
const SIGNATURE: u32 = 0x5305_3053;

/// The area of all threads that have none of their own: there was no memory, or musl did not make the thread. The
/// kernel does not know this area. Sequences write to it, and nobody reads what they write.
static NOT_REGISTERED: Memory = Memory {
    cpu_id_start: AtomicI32::new(0),
    cpu: AtomicI32::new(NO_CPU),
    rest: [const { AtomicIsize::new(0) }; 3],
};

/// The key of the thread-specific value, and [`FIRST`]; zero until it is created.
static KEY: AtomicIsize = AtomicIsize::new(0);
/// What [`find`] returns for key 0.
const FIRST: isize = 2;

/// The number by which [`offset`] finds a thread's area; `None` if the kernel has no sequences, librseq registers
/// areas, or there is no key left.
pub(super) fn find() -> Option<isize> {
    if !weak!("rseq_register_current_thread").is_null() {
        return None;
    }
    if !matches!(super::area::refused_registration(), libc::EFAULT | libc::EINVAL) {
        return None;
    }
    let mut key = 0;
    // SAFETY: the key is this function's. `end` is for the values that `begin` sets.
    if unsafe { libc::pthread_key_create(&mut key, Some(end)) } != 0 {
        return None;
    }
    let found = key as isize + FIRST;
    // Relaxed: no other data depends on the key.
    match KEY.compare_exchange(0, found, Relaxed, Relaxed) {
        Ok(_) => Some(found),
        Err(first) => {
            // SAFETY: created above, and no thread has a value for it.
            unsafe { libc::pthread_key_delete(key) };
            Some(first)
        }
    }
}

/// The offset of the calling thread's area from its thread pointer. `found` is the result of [`find`].
#[inline(always)]
pub(super) fn offset(found: isize) -> isize {
    let key = (found - FIRST) as libc::pthread_key_t;
    // SAFETY: `find` has created the key, and nobody deletes it.
    let mut area: *const Memory = unsafe { libc::pthread_getspecific(key) }.cast();
    if area.is_null() {
        area = begin(key);
    }
    (area.expose_provenance() as isize).wrapping_sub(sequences::thread_pointer())
}

/// Registers an area for the calling thread. No signal handler runs meanwhile, which could register another one.
#[cold]
#[inline(never)]
fn begin(key: libc::pthread_key_t) -> *const Memory {
    errno::preserved(|| {
        // SAFETY: both may always be called.
        if unsafe { libc::gettid() as libc::c_long != libc::syscall(libc::SYS_gettid) } {
            // musl did not make this thread, and so the value belongs to another one: after vfork(), or clone().
            return &raw const NOT_REGISTERED;
        }
        let mut blocked = 0;
        change_mask(libc::SIG_SETMASK, &!0, &mut blocked);
        // SAFETY: the key exists. A handler may have registered an area before the mask changed.
        let mut area: *const Memory = unsafe { libc::pthread_getspecific(key) }.cast();
        if area.is_null() {
            area = register(key).unwrap_or(&raw const NOT_REGISTERED);
        }
        change_mask(libc::SIG_SETMASK, &blocked, ptr::null_mut());
        area
    })
}

fn register(key: libc::pthread_key_t) -> Option<*const Memory> {
    let memory: *mut c_void = memory::map(SIZE)?.as_ptr().cast();
    // A signal handler can find the area before it is registered. Without a CPU number, a sequence there gives up.
    // SAFETY: a page is large enough, and aligned for every type. Zeros are valid atomics.
    unsafe { &*memory.cast::<Memory>() }.cpu.store(NO_CPU, Relaxed);
    // SAFETY: the key exists. `end` unmaps the memory. musl always sets the value.
    unsafe { libc::pthread_setspecific(key, memory) };
    rseq(memory, REGISTER);
    Some(memory.cast())
}

/// The destructor of the thread-specific value.
unsafe extern "C" fn end(memory: *mut c_void) {
    errno::preserved(|| {
        rseq(memory, UNREGISTER);
        // A seccomp filter may have refused. Then the area is registered, and must stay mapped.
        // SAFETY: `begin` has mapped the area, and only this function unmaps it.
        if unsafe { &*memory.cast::<Memory>() }.cpu.load(Relaxed) == NO_CPU {
            // SAFETY: as above. The kernel no longer writes to the area.
            unsafe { memory::unmap(NonNull::new_unchecked(memory.cast()), SIZE) };
        }
    });
}

fn rseq(memory: *mut c_void, flags: c_int) {
    // SAFETY: the memory is of this size and stays mapped as long as it is registered.
    unsafe { libc::syscall(libc::SYS_rseq, memory, SIZE, flags, SIGNATURE) };
}
