//! Reads of the stack that cannot fault.
//!
//! The C library's stacks end at known places: the first thread's at `__libc_stack_end`, another thread's at its
//! thread pointer. In the first thread's stack all is readable from the stack pointer on: the kernel keeps as much room
//! as RLIMIT_STACK says for it alone. Below another thread's end a guard page may lie: each page is asked for once in a
//! thread's life. Other stacks (a coroutine's, a signal handler's, and behind it the one that was
//! interrupted) may end anywhere. There each page but the stack pointer's own is asked for at each walk.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::process::FIRST_THREAD;
use crate::processor;
use crate::thread::State;

/// The largest stack that is taken for one.
const LARGE: u64 = 64 << 20;
const PAGE: u64 = 4096;

/// How large the first thread's stack may become.
static FIRST_SIZE: AtomicU64 = AtomicU64::new(0);

/// Whether the kernel may be asked. The program's seccomp filter may end it for the question.
static MAY_ASK: AtomicBool = AtomicBool::new(false);

/// Notes the limit of the first thread's stack, as the loader has.
pub fn set_up(filtered: bool) {
    MAY_ASK.store(!filtered, Relaxed);
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is ours to fill.
    if unsafe { libc::getrlimit(libc::RLIMIT_STACK, &mut limit) } == 0 {
        // The arguments and the environment are above the end.
        FIRST_SIZE.store((limit.rlim_cur / 2).min(LARGE), Relaxed);
    }
}

/// What is readable.
#[derive(Clone, Copy)]
pub struct Stack {
    /// The stack pointer.
    start: u64,
    /// All is readable from `start` to here.
    end: u64,
    /// Another page that is readable, or 1.
    page: u64,
}

/// Where the first thread's stack ends.
#[inline]
fn first_end() -> u64 {
    unsafe extern "C" {
        #[link_name = "__libc_stack_end"]
        static FIRST_END: u64;
    }
    // SAFETY: the loader set it before it ran anything.
    unsafe { FIRST_END }
}

/// Whether an address is surely in the first thread's stack.
#[inline]
fn is_first(address: u64) -> bool {
    first_end().wrapping_sub(address) < FIRST_SIZE.load(Relaxed)
}

/// Where the C library's stack ends to which a stack pointer seems to belong.
fn end_of_stack(sp: u64) -> Option<u64> {
    let is_below = |end: u64| sp < end && end - sp < LARGE;
    let first = first_end();
    if is_below(first) {
        return Some(first);
    }
    let pointer = processor::thread_pointer() as u64;
    (is_below(pointer) && pointer != FIRST_THREAD.load(Relaxed)).then_some(pointer)
}

/// Whether an address is in the stack that the C library has made for this thread.
pub fn is_of_thread(address: u64, state: &State) -> bool {
    let readable = state.readable.load(Relaxed);
    let reaches =
        |end| (readable != 0 && address >= readable) || is_whole(address, end, readable, state);
    end_of_stack(address).is_some_and(reaches)
}

impl Stack {
    /// The stack of this thread with a stack pointer.
    #[inline]
    pub fn of(sp: u64, state: Option<&State>) -> Self {
        if let (Some(end), Some(state)) = (end_of_stack(sp), state) {
            let readable = state.readable.load(Relaxed);
            if (readable != 0 && sp >= readable) || is_whole(sp, end, readable, state) {
                return Self { start: sp, end: end & !7, page: 1 };
            }
        }
        Self { start: sp, end: (sp | (PAGE - 1)) + 1, page: 1 }
    }

    /// The stack pointer is another one now: that of the code that a signal has interrupted.
    pub fn go_to(&mut self, sp: u64, state: Option<&State>) {
        *self = Self::of(sp, state);
        // Nothing is known of this stack pointer, not even that it is one.
        if !is_first(sp) && !is_readable(sp) {
            self.end = self.start;
        }
    }

    /// A word of the stack. `None`: it is not readable, or is not in the stack.
    #[inline]
    pub fn read(&mut self, address: u64) -> Option<u64> {
        if !address.is_multiple_of(8) || address < self.start {
            return None;
        }
        let page = address & !(PAGE - 1);
        if address >= self.end && page != self.page {
            if !is_readable(page) {
                return None;
            }
            self.page = page;
        }
        // SAFETY: readable, by the above.
        Some(unsafe { (address as *const u64).read_volatile() })
    }

    /// All is readable from the stack pointer to here.
    #[inline]
    pub fn end(&self) -> u64 {
        self.end
    }
}

/// Whether all is readable from a stack pointer to the end of its stack, of which the pages from `readable` on are
/// known.
#[cold]
#[inline(never)]
fn is_whole(sp: u64, end: u64, readable: u64, state: &State) -> bool {
    if !is_first(sp) && !is_readable_up_to(sp, end, readable, state) {
        return false;
    }
    state.readable.store(sp & !(PAGE - 1), Relaxed);
    true
}

fn is_readable_up_to(sp: u64, end: u64, readable: u64, state: &State) -> bool {
    let barrier = state.barrier.load(Relaxed);
    if sp < barrier && barrier < end {
        return false;
    }
    let top = if readable != 0 { readable } else { end & !(PAGE - 1) };
    let mut page = (sp & !(PAGE - 1)) + PAGE;
    while page < top {
        if !is_readable(page) {
            state.barrier.store(page, Relaxed);
            return false;
        }
        page += PAGE;
    }
    true
}

/// Whether the memory at an address is readable. The kernel reads a signal set there, and then finds that nothing is
/// to be done with it.
pub fn is_readable(address: u64) -> bool {
    if !MAY_ASK.load(Relaxed) {
        return false; // the walk sees one page of a stack that may end anywhere
    }
    const NO_SUCH_WAY: usize = usize::MAX;
    let arguments = [NO_SUCH_WAY, address as usize & !7, 0, 8];
    // SAFETY: the call changes nothing.
    let answer = unsafe { processor::system_call(libc::SYS_rt_sigprocmask, arguments) };
    answer == -(libc::EINVAL as isize)
}
