//! The functions of the table.

use std::ffi::{c_char, c_int, c_uint, c_void};

use crate::event::{What, happen};
use crate::object::{Holder, TypeName};
use crate::options::options;
use crate::processor::enter;
use crate::seam::{Caller, Frame, Kref, Release, Table, Violation};
use crate::{chaos, report, thread};

/// The table that libkref gets. Nobody needs to be told twice of a get or put, unless for chaos
/// or for memory that is kept.
pub fn table() -> Table {
    let chaos = options().chaos.is_some();
    Table {
        size: size_of::<Table>(),
        created,
        getting: chaos.then_some(getting),
        got,
        putting,
        released,
        done: (chaos || options().keep_freed).then_some(done),
        violated,
        report: Some(on_report),
        checkpoint: Some(on_checkpoint),
        missed: options().stale_handles.then_some(missed),
    }
}

#[unsafe(naked)]
extern "C" fn created(kref: *mut Kref, type_name: *const c_char) -> c_int {
    enter!(on_created, 2)
}

extern "C" fn on_created(kref: *mut Kref, type_name: *const c_char, frame: &Frame) -> c_int {
    if !is_sampled() {
        return 0;
    }
    let what = What::Created(TypeName(type_name as usize));
    c_int::from(happen(what, kref as usize, Caller::from(frame)))
}

/// One object in N of each thread.
fn is_sampled() -> bool {
    let every = options().sample;
    if every == 1 {
        return true;
    }
    let Some(mut inside) = thread::enter().filter(thread::Inside::is_outermost) else {
        return false;
    };
    let countdown = &mut inside.own().countdown;
    let hit = *countdown % every == 0;
    *countdown = countdown.wrapping_add(1);
    hit
}

extern "C" fn getting(_: *mut Kref) {
    chaos::turn();
}

#[unsafe(naked)]
extern "C" fn got(kref: *mut Kref, count: c_uint, holder: *const c_char) {
    enter!(on_got, 3)
}

extern "C" fn on_got(kref: *mut Kref, count: c_uint, holder: *const c_char, frame: &Frame) {
    happen(What::Got(count, Holder(holder as usize)), kref as usize, Caller::from(frame));
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
    let what = What::Putting(address(release), count, Holder(holder as usize));
    happen(what, kref as usize, Caller::from(frame));
    chaos::turn();
}

#[unsafe(naked)]
extern "C" fn released(kref: *mut Kref, release: Release) {
    enter!(on_released, 2)
}

extern "C" fn on_released(kref: *mut Kref, release: Release, frame: &Frame) {
    happen(What::Released(address(release)), kref as usize, Caller::from(frame));
    if options().keep_freed
        && let Some(mut inside) = thread::enter().filter(thread::Inside::is_outermost)
    {
        inside.own().begin_release(kref as usize);
    }
}

fn address(release: Release) -> usize {
    release.map_or(0, |release| release as *const () as usize)
}

extern "C" fn done(kref: *const c_void) {
    if let Some(mut inside) = thread::enter_if_known().filter(thread::Inside::is_outermost) {
        inside.own().end_put(kref as usize);
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
    happen(What::Violated(violation.kind), violation.kref as usize, Caller::from(frame));
}

#[unsafe(naked)]
extern "C" fn missed(pool: *mut c_void, handle: u64, given: c_int) {
    enter!(on_missed, 3)
}

extern "C" fn on_missed(_: *mut c_void, _: u64, given: c_int, frame: &Frame) {
    happen(What::Missed(given != 0), 0, Caller::from(frame));
}

extern "C" fn on_report(fd: c_int) {
    report::on_request(fd, "the program");
}

extern "C" fn on_checkpoint() {
    report::checkpoint();
}
