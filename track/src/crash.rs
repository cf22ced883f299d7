//! A fatal signal: what is known of the address and of the thread.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::object::{Act, Object, RELEASED};
use crate::process::Process;
use crate::report::name_of;
use crate::world::World;
use crate::{format, json, text};

/// An address so far from a count may be in the same object.
const NEAR: u64 = 256;

/// Tells that a thread got a fatal signal.
pub fn report(world: &World, process: &Process, signal: i32, address: u64, by: Act) {
    let object = if signal == libc::SIGABRT { None } else { nearest(process, address) };
    let value = || json(world, process, signal, address, by, object);
    let text = || text(world, process, signal, address, by, object);
    format::tell(world, process.pid, value, text);
}

fn text(
    world: &World,
    process: &Process,
    signal: i32,
    address: u64,
    by: Act,
    object: Option<&Object>,
) -> String {
    let mut out = String::new();
    let (name, thread) = (name_of(signal), text::thread(world, by.thread));
    let _ = writeln!(out, "kref-track: {name} in {thread}, at {address:#x}");
    if by.stack != 0 {
        text::stack(world, &mut out, by.stack, "    ");
    }
    if let Some(object) = object {
        tell(world, &mut out, process, address, object);
    }
    if let Some(object) = without_release(world, process, address, by) {
        let _ = writeln!(
            out,
            "  this is the release function of object #{}, and no code is there: its library was unloaded before the \
             last put, or the pointer is wrong",
            object.serial()
        );
    }
    let last = world.threads.last(by.thread);
    if !last.is_empty() {
        let _ = writeln!(out, "  this thread's last calls, the latest first:");
    }
    for event in last {
        let _ = writeln!(out, "  {} of the count at {:#x}:", event.act, event.address);
        text::stack(world, &mut out, event.by.stack, "    ");
    }
    out
}

/// The object whose count is nearest to the address.
fn nearest(process: &Process, address: u64) -> Option<&Object> {
    let away = |object: &&Object| address.abs_diff(object.address);
    process.table.known().filter(|object| away(object) <= NEAR).min_by_key(away)
}

/// The object whose release function the thread has called last, if the address is that of the function: a call of code
/// that is not there.
fn without_release<'a>(
    world: &World,
    process: &'a Process,
    address: u64,
    by: Act,
) -> Option<&'a Object> {
    let last = world.threads.last(by.thread);
    let release = last.first().filter(|event| event.act == "release")?;
    let object = process.table.object(process.table.find(release.address)?);
    let is_called = object.release != 0 && object.release == process.function(address, &world.code);
    is_called.then_some(object)
}

fn tell(world: &World, out: &mut String, process: &Process, address: u64, object: &Object) {
    let side = if address < object.address { "before" } else { "behind" };
    let away = address.abs_diff(object.address);
    let state = if object.is(RELEASED) { "was released" } else { "is referenced" };
    let _ = writeln!(
        out,
        "  the address is {away} bytes {side} the count of object #{}, which {state}",
        object.serial()
    );
    if let Some(by) = process.table.released(object) {
        let _ = writeln!(out, "  released by {}:", text::thread(world, by.thread));
        text::stack(world, out, by.stack, "    ");
    }
    let _ = writeln!(out, "  created by {}:", text::thread(world, object.created().thread));
    text::stack(world, out, object.created().stack, "    ");
}

fn json(
    world: &World,
    process: &Process,
    signal: i32,
    address: u64,
    by: Act,
    object: Option<&Object>,
) -> Value {
    let last: Vec<_> = world
        .threads
        .last(by.thread)
        .iter()
        .map(|event| {
            json!({
                "act": event.act,
                "address": format!("{:#x}", event.address),
                "by": json::act(world, event.by),
            })
        })
        .collect();
    let object = object.map(|object| {
        json!({
            "object": object.serial(),
            "address": format!("{:#x}", object.address),
            "released": process.table.released(object).map(|by| json::act(world, by)),
            "created": json::act(world, object.created()),
        })
    });
    json!({
        "kind": "crash",
        "process": process.pid,
        "signal": signal,
        "address": format!("{address:#x}"),
        "by": json::act(world, by),
        "object": object,
        "release_of": without_release(world, process, address, by).map(|object| object.serial()),
        "last": last,
    })
}
