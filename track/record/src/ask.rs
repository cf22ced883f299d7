//! Requests: the thread waits for the judge's answer.

use core::ffi::c_int;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use wire::head::{Desk, Head, MORE, desk_of};
use wire::record::Kind;

use crate::event::{Event, record};
use crate::seam::{Caller, Frame};
use crate::thread::{self, Guard};
use crate::wait::Patience;
use crate::{processor, session, walk};

/// kref_track_report(): writes the judge's answer to a descriptor.
pub fn report(fd: c_int, frame: &Frame) {
    let Some(mut guard) = thread::enter(frame.address()) else { return };
    let stack = walk::stack(Caller::from(frame), &mut guard);
    let asked = ask(&Event::of(Kind::Report, 0), stack, &mut guard, fd);
    if asked == Asked::Already {
        write(
            fd,
            b"kref-track: asked for a report by a signal handler that interrupted a request\n",
        );
    }
}

/// kref_balance_end(): how many references the region has left behind, as far as the judge knows.
pub fn left_behind(frame: &Frame) -> u32 {
    let Some(mut guard) = thread::enter(frame.address()) else { return 0 };
    let stack = walk::stack(Caller::from(frame), &mut guard);
    match ask(&Event::of(Kind::Ends, 0), stack, &mut guard, -1) {
        Asked::Done(left) => left,
        Asked::Gone | Asked::Already => 0,
    }
}

/// The signal that asks for a report: the report goes to the judge's log, and nobody waits.
pub fn signalled(frame: u64, caller: Caller) {
    let Some(mut guard) = thread::enter(frame) else { return };
    let stack = walk::stack(caller, &mut guard);
    record(&Event::of(Kind::Report, 0), stack, &mut guard);
}

/// A fatal signal.
pub fn crashed(signal: c_int, address: usize, frame: u64, caller: Caller) {
    let Some(mut guard) = thread::enter(frame) else { return };
    let stack = walk::stack(caller, &mut guard);
    let event = Event { count: signal as u32, ..Event::of(Kind::Crash, address) };
    ask(&event, stack, &mut guard, -1);
}

/// A program begins.
pub fn begun() {
    let marker = 0_u64;
    if let Some(mut guard) = thread::enter(&raw const marker as u64) {
        ask(&Event::of(Kind::Begun, 0), 0, &mut guard, -1);
    }
}

/// The process exits. The stack tells the judge whether functions of the program still have frames, and where they are.
pub fn at_exit(frame: &Frame) {
    #[cfg(not(test))]
    crate::kept::check_all();
    let Some(mut guard) = thread::enter(frame.address()) else { return };
    let stack = walk::stack(Caller::from(frame), &mut guard);
    let asked = ask(&Event::of(Kind::Exit, 0), stack, &mut guard, -1);
    drop(guard);
    let code = session::settings().map_or(0, |settings| settings.exit_code);
    if code != 0 && matches!(asked, Asked::Done(1..)) {
        // SAFETY: what the program has printed and not yet flushed is flushed; then it is over.
        unsafe {
            libc::fflush(core::ptr::null_mut());
            libc::_exit(code as c_int);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// The judge has answered, and has found so much in the process by then.
    Done(u32),
    Gone,
    /// This thread waits for an answer already: it was interrupted by a handler.
    Already,
}

/// Asks the judge, and waits. The parts of the answer go to a descriptor, if that is not negative.
fn ask(event: &Event, stack: u32, guard: &mut Guard, fd: c_int) -> Asked {
    let Some(head) = session::head() else { return Asked::Gone };
    let number = loop {
        let number = head.requests.fetch_add(1, Relaxed).wrapping_add(1);
        if number != 0 {
            break number;
        }
    };
    let state = guard.state();
    if state.is_some_and(|state| !state.begin_request(number, guard)) {
        return Asked::Already;
    }
    let asked = ask_now(head, number, event, stack, guard, fd);
    if let Some(state) = state {
        state.end_request(number);
    }
    asked
}

fn ask_now(
    head: &'static Head,
    number: u32,
    event: &Event,
    stack: u32,
    guard: &mut Guard,
    fd: c_int,
) -> Asked {
    let Some(desk) = head.desks.get(desk_of(event.kind)) else { return Asked::Gone };
    let mut patience = Patience::new(head);
    // Acquire: pairs with the release of the request before. If a process ends while it holds the desk, the judge
    // frees the desk.
    while desk.asking.compare_exchange(0, number, Acquire, Relaxed).is_err() {
        if !patience.wait() {
            return Asked::Gone;
        }
    }
    desk.answered.store(0, Relaxed);
    guard.let_go_of_records();
    let event = Event { detail: number.into(), ..*event };
    let answered = record(&event, stack, guard) && take_answer(head, desk, number, fd);
    // What was found is this request's until it is let go.
    let found = head.found.load(Relaxed);
    // If the judge has let go of the request, another may have taken its place.
    head.let_go(number);
    if answered { Asked::Done(found) } else { Asked::Gone }
}

fn take_answer(head: &'static Head, desk: &Desk, number: u32, fd: c_int) -> bool {
    let mut patience = Patience::new(head);
    loop {
        // The judge lets go of a request that it knows nothing of.
        if desk.asking.load(Relaxed) != number {
            return false;
        }
        // Acquire: pairs with the release of the judge, which has written the answer.
        let answered = desk.answered.load(Acquire);
        if answered != 0 && fd < 0 {
            return true;
        }
        if answered != 0 {
            let most = head.answer_bytes.min(head.answer_length.load(Relaxed));
            // SAFETY: the answer is part of the memory.
            let part = unsafe { core::slice::from_raw_parts(session::answer(head), most as usize) };
            write(fd, part);
            // Release: pairs with the acquire of the judge, which writes the next part.
            desk.answered.store(0, Release);
            if answered & MORE == 0 {
                return true;
            }
        }
        if answered == 0 && !patience.wait() {
            return false;
        }
    }
}

/// Writes to the program's descriptor. Negative: to none.
pub fn write(fd: c_int, bytes: &[u8]) {
    if fd < 0 {
        return;
    }
    let before = pipe_signal(libc::SIG_BLOCK, PIPE_SIGNAL);
    let was_pending = is_pending();
    let broken = write_all(fd, bytes) == Some(libc::EPIPE);
    // Nobody reads: that ends a program that writes, but this one has not written itself.
    if broken && !was_pending {
        let (signals, at_once) = (PIPE_SIGNAL, [0_u64; 2]);
        let arguments = [&raw const signals as usize, 0, at_once.as_ptr() as usize, 8];
        // SAFETY: a bare system call, which reads the two.
        unsafe { processor::system_call(libc::SYS_rt_sigtimedwait, arguments) };
    }
    if let Some(before) = before {
        pipe_signal(libc::SIG_SETMASK, before);
    }
}

/// SIGPIPE alone, as the kernel has sets of signals.
const PIPE_SIGNAL: u64 = 1 << (libc::SIGPIPE - 1);

/// Changes the thread's blocked signals. Returns those before. `None`: the call is forbidden.
fn pipe_signal(how: c_int, signals: u64) -> Option<u64> {
    let mut before = 0_u64;
    let arguments = [how as usize, &raw const signals as usize, &raw mut before as usize, 8];
    // SAFETY: a bare system call, which reads one and writes the other.
    let answer = unsafe { processor::system_call(libc::SYS_rt_sigprocmask, arguments) };
    (answer == 0).then_some(before)
}

fn is_pending() -> bool {
    let mut pending = 0_u64;
    let arguments = [&raw mut pending as usize, 8, 0, 0];
    // SAFETY: a bare system call, which writes the set.
    unsafe { processor::system_call(libc::SYS_rt_sigpending, arguments) };
    pending & PIPE_SIGNAL != 0
}

/// Returns the error that has ended it, or 0 if the kernel has written nothing.
fn write_all(fd: c_int, mut bytes: &[u8]) -> Option<c_int> {
    while !bytes.is_empty() {
        let arguments = [fd as usize, bytes.as_ptr() as usize, bytes.len(), 0];
        // SAFETY: a bare system call, which reads the bytes. The C library's function would be a cancellation point.
        let written = unsafe { processor::system_call(libc::SYS_write, arguments) };
        match usize::try_from(written) {
            Ok(written) if written > 0 => bytes = bytes.get(written..).unwrap_or_default(),
            Err(_) if written == -(libc::EINTR as isize) => {}
            _ => return Some(-written as c_int),
        }
    }
    None
}
