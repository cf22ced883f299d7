//! stub
use crate::seam::Caller;
use crate::thread::Guard;
use crate::{module, session, write};
use core::sync::atomic::Ordering::Relaxed;
use wire::record::Kind;
/// stub
pub fn set_up() {}
/// stub
pub fn stack(caller: Caller, guard: &mut Guard) -> u32 {
    if let Some(module) = module::at(caller.ip) {
        module::note_libkref(caller.ip);
        module.meet(guard);
    }
    let Some(head) = session::head() else { return 0 };
    let number = head.stacks.fetch_add(1, Relaxed);
    let body = [number.into(), 1, caller.ip, caller.sp];
    write::record(guard, Kind::Stack, 4, |at| *body.get(at as usize).unwrap_or(&0));
    number
}
