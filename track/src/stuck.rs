//! `--stuck SECONDS`: release functions that do not return, and what they wait for.
//!
//! A recorder tells when a release function begins, and when its put is over. If the second does not come in time, the
//! kernel says what the thread does. If it waits for a mutex, the mutex says who holds it: its own thread, for example,
//! which has called the put with the mutex held. Nobody is stopped for it.

use std::collections::HashMap;
use std::fmt::Write as _;

use rustc_hash::FxBuildHasher;
use serde_json::{Value, json};

use crate::object::Act;
use crate::process::Process;
use crate::waits::{self, Wait};
use crate::world::World;
use crate::{clock, format, json, text};

/// A release function that has begun.
struct Release {
    process: u16,
    address: u64,
    by: Act,
    /// The frame that has called libkref, or 0: who is further out on the stack has left the release function.
    frame: u64,
    is_told: bool,
    /// The processor time of a thread that runs, when it was first seen to take too long.
    spent: Option<u64>,
}

/// Release functions within release functions: more are not kept.
const MOST_DEEP: usize = 64;
/// Threads that wait are told of up to this number.
const MOST_WAITING: usize = 16;

/// The release functions that have begun and are not over, by thread.
#[derive(Default)]
pub struct Releases(HashMap<u32, Vec<Release>, FxBuildHasher>);

impl Releases {
    /// A thread begins to release an object. `frame`: of the caller of libkref.
    pub fn begin(&mut self, process: u16, address: u64, by: Act, frame: u64) {
        let releases = self.0.entry(by.thread).or_default();
        if releases.len() < MOST_DEEP {
            releases.push(Release { process, address, by, frame, is_told: false, spent: None });
        }
    }

    /// A thread's put of an object is over.
    pub fn end(&mut self, address: u64, thread: u32) {
        let Some(releases) = self.0.get_mut(&thread) else { return };
        if let Some(place) = releases.iter().rposition(|release| release.address == address) {
            releases.truncate(place);
        }
        if releases.is_empty() {
            self.0.remove(&thread);
        }
    }

    /// Forgets a process that has ended.
    pub fn forget(&mut self, process: u16) {
        self.0.retain(|_, releases| releases.iter().all(|release| release.process != process));
    }

    /// Tells of those that take too long. `process_of` finds a process.
    pub fn look<'a>(
        &mut self,
        world: &World,
        process_of: impl Fn(u16) -> Option<&'a Process>,
    ) -> Vec<u16> {
        let mut told = Vec::new();
        let limit = world.options.stuck.saturating_mul(1000);
        for releases in self.0.values_mut() {
            // The innermost one is that which does not go on.
            let Some(release) = releases.last_mut() else { continue };
            let age = clock::age(world.now.get(), release.by.time);
            let Some(process) = process_of(release.process) else { continue };
            if release.is_told || age < limit {
                continue;
            }
            let wait = what(world, process, release);
            // A thread that could run and does not get a processor does not hang.
            if wait == Some(Wait::Running) && !has_run(world, process, release) {
                continue;
            }
            release.is_told = true;
            if let Some(wait) = wait {
                let report = Report { world, process, release, wait, age };
                format::tell(world, process.pid, || report.json(), || report.text());
                told.push(process.number);
            }
        }
        told
    }
}

/// What the thread of a release function does. `None`: it has left the function by a jump, or has ended.
fn what(world: &World, process: &Process, release: &Release) -> Option<Wait> {
    let Some(tid) = world.threads.kernel_number(release.by.thread) else {
        return Some(Wait::Unknown);
    };
    let (wait, stack) = waits::of(process.pid, tid)?;
    let is_inside = release.frame == 0 || stack.is_none_or(|stack| stack < release.frame);
    is_inside.then_some(wait)
}

/// Whether a thread has used the processor for so long since it was first seen here.
fn has_run(world: &World, process: &Process, release: &mut Release) -> bool {
    let tid = world.threads.kernel_number(release.by.thread).unwrap_or(0);
    let Some(now) = waits::processor_time(process.pid, tid) else { return false };
    now.saturating_sub(*release.spent.get_or_insert(now)) >= u64::from(world.options.stuck)
}

struct Report<'a> {
    world: &'a World,
    process: &'a Process,
    release: &'a Release,
    wait: Wait,
    age: u32,
}

impl Report<'_> {
    fn text(&self) -> String {
        let (world, by) = (self.world, self.release.by);
        let age = text::duration(self.age);
        let mut out = format!("kref-track: a release function has not returned for {age}\n");
        let _ = writeln!(out, "  {}", self.object());
        let own = world.threads.kernel_number(by.thread).unwrap_or(0);
        let _ = writeln!(out, "  it {}", sentence(world, &self.wait, own));
        let _ = writeln!(out, "  released by {}:", text::thread(world, by.thread));
        text::stack(world, &mut out, by.stack, "    ");
        for (tid, wait) in self.others(own) {
            let number = world.threads.number(tid);
            let name = number.map_or(format!("thread {tid}"), |number| text::thread(world, number));
            let _ = writeln!(out, "  {name} {}", sentence(world, &wait, tid));
            let last = number.and_then(|number| world.threads.last(number).first().copied());
            if let Some(last) = last {
                let _ = writeln!(
                    out,
                    "    its last call, {} of the count at {:#x}:",
                    last.act, last.address
                );
                text::stack(world, &mut out, last.by.stack, "      ");
            }
        }
        out
    }

    fn object(&self) -> String {
        let table = &self.process.table;
        let address = self.release.address;
        let object = table.find(address).map(|at| table.object(at));
        let name = object.and_then(|object| self.world.code.names.get(object.type_name()));
        let name = name.map(|name| format!(", {name}")).unwrap_or_default();
        match object {
            Some(object) => format!("object #{} at {address:#x}{name}", object.serial()),
            None => format!("count at {address:#x}"),
        }
    }

    /// The other threads that wait for mutexes, and that which holds the mutex.
    fn others(&self, own: i32) -> Vec<(i32, Wait)> {
        let holder = match self.wait {
            Wait::Mutex { holder, .. } => holder,
            _ => 0,
        };
        let threads = waits::threads(self.process.pid).into_iter().filter(|&tid| tid != own);
        let waits = threads.filter_map(|tid| Some((tid, waits::of(self.process.pid, tid)?.0)));
        let wanted =
            |(tid, wait): &(i32, Wait)| *tid == holder || matches!(wait, Wait::Mutex { .. });
        waits.filter(wanted).take(MOST_WAITING).collect()
    }

    fn json(&self) -> Value {
        let (world, by) = (self.world, self.release.by);
        let own = world.threads.kernel_number(by.thread).unwrap_or(0);
        let others: Vec<_> =
            self.others(own).iter().map(|(tid, wait)| json::waiting(*tid, wait)).collect();
        let object = self.process.table.find(self.release.address);
        json!({
            "kind": "stuck",
            "process": self.process.pid,
            "object": object.map(|at| self.process.table.object(at).serial()),
            "address": format!("{:#x}", self.release.address),
            "by": json::act(world, by),
            "waits": json::waiting(own, &self.wait),
            "others": others,
        })
    }
}

/// What a thread does.
fn sentence(world: &World, wait: &Wait, own: i32) -> String {
    match *wait {
        Wait::Mutex { address, holder } if holder == own => {
            format!("waits for a mutex that its own thread holds, at {address:#x}")
        }
        Wait::Mutex { address, holder } => {
            let number = world.threads.number(holder);
            let name =
                number.map_or(format!("thread {holder}"), |number| text::thread(world, number));
            format!("waits for a mutex that {name} holds, at {address:#x}")
        }
        Wait::Futex(address) => format!("waits for another thread, at {address:#x}"),
        Wait::Call(number) => format!("is in system call {number}"),
        Wait::Running => "is running".to_string(),
        Wait::Unknown => "does something that the kernel does not tell".to_string(),
    }
}
