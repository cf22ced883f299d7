//! The functions of the table.

use core::ffi::{c_char, c_int, c_uint, c_void};
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

use wire::head::{CHAOS, DONE, STALE_HANDLES};
use wire::record::Kind;
use wire::record::percpu::{INIT, LET_GO};

use crate::event::{Event, happen, record};
use crate::own::own;
use crate::processor::enter;
use crate::seam::{Frame, Kref, Release, Table, Violation};
use crate::{ask, chaos, marks, session, thread};

/// The table that libkref gets. libkref need not call it twice for a get or put, unless for chaos or for memory that
/// is kept.
pub fn table() -> Table {
    let flags = session::settings().map_or(0, |settings| settings.flags);
    let chaos = flags & CHAOS != 0;
    Table {
        size: size_of::<Table>(),
        created,
        getting: chaos.then_some(getting),
        got,
        putting,
        released,
        done: (flags & (CHAOS | DONE) != 0).then_some(done),
        violated,
        report: Some(report),
        checkpoint: Some(checkpoint),
        missed: (flags & STALE_HANDLES != 0).then_some(missed),
        percpu,
        let_go,
        balance: Some(balance),
    }
}

#[unsafe(naked)]
extern "C" fn created(kref: *mut Kref, type_name: *const c_char) -> c_int {
    enter!(on_created, 2)
}

extern "C" fn on_created(kref: *mut Kref, type_name: *const c_char, frame: &Frame) -> c_int {
    let event = Event { name: type_name, count: 1, ..Event::of(Kind::Created, kref.addr()) };
    let is_recorded = is_sampled(frame) && happen(&event, frame);
    if is_recorded {
        marks::add(event.object);
    }
    c_int::from(is_recorded)
}

/// One object in N of each thread.
fn is_sampled(frame: &Frame) -> bool {
    let every = session::settings().map_or(1, |settings| settings.sample);
    if every <= 1 {
        return true;
    }
    // A thread's first call in a process sets its countdown.
    if !thread::is_known() && thread::enter(frame.address()).is_none() {
        return false;
    }
    let own = own();
    // A signal handler may create an object between the load and the store. That object is not counted.
    let left = own.countdown.load(Relaxed);
    own.countdown.store(left.checked_sub(1).unwrap_or(every - 1), Relaxed);
    left == 0
}

extern "C" fn getting(_: *mut Kref) {
    chaos::turn();
}

#[unsafe(naked)]
extern "C" fn got(kref: *mut Kref, count: c_uint, holder: *const c_char) {
    enter!(on_got, 3)
}

extern "C" fn on_got(kref: *mut Kref, count: c_uint, holder: *const c_char, frame: &Frame) {
    happen(&Event { name: holder, count, ..Event::of(Kind::Got, kref.addr()) }, frame);
    chaos::turn();
}

#[unsafe(naked)]
extern "C" fn putting(kref: *mut Kref, release: Release, count: c_uint, holder: *const c_char) {
    enter!(on_putting, 4)
}

extern "C" fn on_putting(
    kref: *mut Kref,
    release: Release,
    count: c_uint,
    holder: *const c_char,
    frame: &Frame,
) {
    let event = Event::of(Kind::Putting, kref.addr());
    happen(&Event { name: holder, count, detail: address(release), ..event }, frame);
    chaos::turn();
}

#[unsafe(naked)]
extern "C" fn released(kref: *mut Kref, release: Release) {
    enter!(on_released, 2)
}

extern "C" fn on_released(kref: *mut Kref, release: Release, frame: &Frame) {
    happen(&Event { detail: address(release), ..Event::of(Kind::Released, kref.addr()) }, frame);
}

fn address(release: Release) -> u64 {
    release.map_or(0, |release| release as *const () as u64)
}

#[unsafe(naked)]
extern "C" fn done(kref: *const c_void) {
    enter!(on_done, 1)
}

extern "C" fn on_done(kref: *const c_void, frame: &Frame) {
    if thread::is_known()
        && let Some(guard) = thread::enter(frame.address())
        && let Some(state) = guard.state().filter(|_| guard.is_outermost())
    {
        state.end_put();
    }
    if session::settings().is_some_and(|settings| settings.flags & DONE != 0)
        && let Some(mut guard) = thread::enter(frame.address())
    {
        record(&Event::of(Kind::Done, kref.addr()), 0, &mut guard);
    }
    chaos::turn();
}

#[unsafe(naked)]
extern "C" fn violated(violation: *const Violation) {
    enter!(on_violated, 1)
}

extern "C" fn on_violated(violation: *const Violation, frame: &Frame) {
    // SAFETY: libkref gives a violation.
    let violation = unsafe { &*violation };
    let event = Event::of(Kind::Violated, violation.kref.addr());
    happen(&Event { detail: violation.kind as u64, ..event }, frame);
}

#[unsafe(naked)]
extern "C" fn missed(pool: *mut c_void, handle: u64, given: c_int) {
    enter!(on_missed, 3)
}

extern "C" fn on_missed(pool: *mut c_void, _: u64, given: c_int, frame: &Frame) {
    happen(&Event { count: u32::from(given != 0), ..Event::of(Kind::Missed, pool.addr()) }, frame);
}

#[unsafe(naked)]
extern "C" fn percpu(percpu: *mut Kref, event: c_uint, release: Release) -> c_int {
    enter!(on_percpu, 3)
}

extern "C" fn on_percpu(
    percpu: *mut Kref,
    count: c_uint,
    release: Release,
    frame: &Frame,
) -> c_int {
    let event = Event::of(Kind::Percpu, percpu.addr());
    let is_wanted = count != INIT || is_sampled(frame);
    let is_recorded =
        is_wanted && happen(&Event { count, detail: address(release), ..event }, frame);
    if is_recorded && count == INIT {
        marks::add_percpu(event.object);
    }
    c_int::from(is_recorded)
}

#[unsafe(naked)]
extern "C" fn let_go(kref: *const c_void) {
    enter!(on_let_go, 1)
}

extern "C" fn on_let_go(kref: *const c_void, frame: &Frame) {
    happen(&Event { count: LET_GO, ..Event::of(Kind::Percpu, kref.addr()) }, frame);
}

#[unsafe(naked)]
extern "C" fn report(fd: c_int) {
    enter!(on_report, 1)
}

extern "C" fn on_report(fd: c_int, frame: &Frame) {
    ask::report(fd, frame);
}

#[unsafe(naked)]
extern "C" fn checkpoint() {
    enter!(on_checkpoint, 0)
}

extern "C" fn on_checkpoint(frame: &Frame) {
    happen(&Event::of(Kind::Checkpoint, ptr::null::<Kref>().addr()), frame);
}

#[unsafe(naked)]
extern "C" fn balance(begins: c_int, type_name: *const c_char) -> c_uint {
    enter!(on_balance, 2)
}

extern "C" fn on_balance(begins: c_int, type_name: *const c_char, frame: &Frame) -> c_uint {
    if begins == 0 {
        return ask::left_behind(frame);
    }
    happen(
        &Event { name: type_name, ..Event::of(Kind::Begins, ptr::null::<Kref>().addr()) },
        frame,
    );
    0
}
