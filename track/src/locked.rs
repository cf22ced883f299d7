//! Release functions that leave a mutex locked.
//!
//! kref_put_mutex() calls the release function with the mutex held, and the release function must unlock the mutex. If
//! the release function returns without the unlock, the next thread that locks the mutex waits for ever.
//!
//! A mutex that is still held after the put may be right: the caller of kref_put_mutex() may unlock it later. So only a
//! thread that can never go on is reported. Such a thread
//!
//! - made a put with a mutex that called a release function, as its last get or put, and has not made another for half a
//!   second;
//! - and waits now for a mutex whose owner, by the mutex's own memory, is this thread.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::process::Process;
use crate::waits::{self, Wait};
use crate::world::{Last, World};
use crate::{clock, format, json, text};

/// The milliseconds since the last get or put of a thread before the judge asks the kernel what the thread waits for. A
/// thread that has been quiet for less is looked at a quarter of a second later.
const QUIET: u32 = 500;

/// Tells of each thread of a process whose last call was a put with a mutex, and that waits for a mutex of its own.
/// Returns how many there are.
pub fn look(world: &World, process: &mut Process) -> u64 {
    let mut found = 0;
    for last in world.threads.lasts().iter().filter(|last| is_put_with_mutex(world, last)) {
        let Some(tid) = world.threads.kernel_number(last.by.thread) else { continue };
        if let Some(address) = waits::own_mutex(process.pid, tid)
            && process.self_locked.insert(tid)
        {
            let value = || value(world, process, tid, address, last);
            format::tell(world, process.pid, value, || text(world, address, last));
            found += 1;
        }
    }
    found
}

/// Whether the last call of a thread was a put that called a release function with a mutex held, some time ago.
fn is_put_with_mutex(world: &World, last: &Last) -> bool {
    let is_quiet = clock::age(world.now.get(), last.by.time) >= QUIET;
    let stack = world.code.get(last.by.stack).filter(|_| is_quiet && last.act == "release");
    stack.is_some_and(|stack| stack.leading(&world.code).by_put_mutex)
}

fn text(world: &World, address: u64, last: &Last) -> String {
    let thread = text::thread(world, last.by.thread);
    let mut out =
        format!("kref-track: {thread} waits for a mutex that it holds itself, at {address:#x}\n");
    let _ = writeln!(
        out,
        "  its last call, a kref_put_mutex() whose release function may have left the mutex locked:"
    );
    text::stack(world, &mut out, last.by.stack, "    ");
    out
}

fn value(world: &World, process: &Process, tid: i32, address: u64, last: &Last) -> Value {
    let wait = Wait::Mutex { address, holder: tid };
    json!({
        "kind": "stuck",
        "process": process.pid,
        "object": null,
        "address": format!("{:#x}", last.address),
        "by": json::act(world, last.by),
        "waits": json::waiting(tid, &wait),
        "others": [],
    })
}
