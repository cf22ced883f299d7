//! When a report is made, and what it says beside what is held.

use crate::format::{self, Format};
use crate::leaks::{self, Leaks};
use crate::output::Output;
use crate::process::Process;
use crate::reach::Reach;
use crate::world::World;
use crate::{flame, json, output, text};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// exit(), or a return from main().
    Exit,
    /// Without exit(), with this status if it is known: _exit(), or quick_exit().
    Left(Option<i32>),
    /// By a signal.
    Signal(i32),
    /// It executed another program.
    Executed,
}

impl End {
    /// For machines.
    fn name(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Left(_) => "left",
            Self::Signal(_) => "signal",
            Self::Executed => "exec",
        }
    }

    /// For people: what is behind "are still held".
    fn sentence(self, pid: u32) -> String {
        let process = match pid {
            0 => "a process of another PID namespace, which was not found,".to_string(),
            pid => format!("process {pid}"),
        };
        match self {
            Self::Exit => " at exit".to_string(),
            Self::Left(Some(status)) => {
                format!(": {process} ended with status {status}, without exit()")
            }
            Self::Left(None) => format!(": {process} ended without exit()"),
            Self::Signal(signal) => format!(": {process} was ended by {}", name_of(signal)),
            Self::Executed => format!(": {process} executed another program"),
        }
    }
}

/// "SIGSEGV", or "signal 40".
pub fn name_of(signal: i32) -> String {
    const NAMES: [(i32, &str); 14] = [
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGALRM, "SIGALRM"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGSYS, "SIGSYS"),
    ];
    let known = NAMES.iter().find(|(number, _)| *number == signal);
    known.map_or(format!("signal {signal}"), |(_, name)| (*name).to_string())
}

/// What the report does not know, and why.
pub struct Dropped {
    /// Objects for which there was no memory.
    pub objects: u64,
    /// Stacks for which there was none.
    pub stacks: u64,
    /// Events that did not come.
    pub events: u64,
}

impl Dropped {
    /// Up to now.
    pub fn now(world: &World, process: &Process) -> Self {
        Self {
            objects: process.table.lost,
            stacks: world.stacks_lost.get(),
            events: world.events_lost.get(),
        }
    }

    fn lines(&self, world: &World) -> String {
        let mut lines = String::new();
        let mut line = |count: u64, what: &str, why: &str| {
            if count > 0 {
                let number = text::number(count, what);
                lines += &format!("kref-track: {number} not recorded: {why}\n");
            }
        };
        let full = format!("max_memory={} was reached", world.budget.limit() >> 20);
        line(self.objects, "object", &full);
        line(self.stacks, "stack", &full);
        line(self.events, "event", "there was no room for them, or their threads died");
        for warning in world.code.debug.warnings() {
            lines += &format!("kref-track: {warning}\n");
        }
        lines
    }
}

/// What is held now, by whose request: always says something. A document has this report alone.
pub fn requested(world: &World, process: &Process, by: &str) -> String {
    let leaks = leaks::gather_with(world, process, &Reach::look(world, process, false));
    let picture = || flame::picture(world, &leaks);
    let value = || json::leaks(world, process, &leaks, "request");
    format::alone(world, value, picture, || held_now(world, process, &leaks, by))
}

/// The same, where the reports of the process go.
pub fn by_signal(world: &World, process: &Process) {
    let leaks = leaks::gather_with(world, process, &Reach::look(world, process, false));
    let picture = || flame::picture(world, &leaks);
    let value = || json::leaks(world, process, &leaks, "request");
    format::tell_held(world, process.pid, value, picture, || {
        held_now(world, process, &leaks, "a signal")
    });
    world.documents.write(world, process.pid);
}

fn held_now(world: &World, process: &Process, leaks: &Leaks, by: &str) -> String {
    let title = format!("held{}, asked by {by}", since(process));
    let unexited = text::unexited(world, &leaks.unexited);
    text::leaks(world, leaks, &title) + &unexited + &Dropped::now(world, process).lines(world)
}

/// What a report is of, if not of everything.
fn since(process: &Process) -> &'static str {
    if process.checkpoints > 0 { ", of those taken since the checkpoint" } else { "" }
}

/// When a process ends: says nothing if there is nothing to say.
pub fn at_end(world: &World, process: &mut Process, end: End) {
    process.is_reported = true;
    if let Some(address) = world.options.address {
        Output::Out.write(process.pid, &text::holders(world, process, address));
        return;
    }
    let reach = match end {
        End::Exit => Reach::look(world, process, true),
        _ => Reach::default(), // the process is gone
    };
    let leaks = leaks::gather_with(world, process, &reach);
    let found = leaks.references > 0 || !leaks.unexited.is_empty();
    process.found += u64::from(leaks.is_wrong());
    if world.options.format == Format::Text {
        tell(world, process, &leaks, end);
    } else {
        values(world, process, &leaks, end, found);
    }
    if let Some(path) = &world.options.flamegraph {
        let path = output::expand(path, process.pid);
        if let Err(error) = flame::write(world, &leaks, &path) {
            world.output.say(process.pid, &format!("{path}: {error}"));
        }
    }
}

/// The same for machines and for documents.
fn values(world: &World, process: &Process, leaks: &Leaks, end: End, found: bool) {
    // A program that reads JSON takes each line for something that was found.
    let is_noted = leaks.lost > 0 && world.options.format != Format::Json;
    if found || is_noted || world.options.summary {
        let value = || json::leaks(world, process, leaks, end.name());
        let picture = || flame::picture(world, leaks);
        format::tell_held(world, process.pid, value, picture, String::new);
    }
    if world.options.stale_handles {
        let value = || json::stale_handles(world, process);
        format::tell(world, process.pid, value, String::new);
    }
    world.documents.write(world, process.pid);
}

fn tell(world: &World, process: &Process, leaks: &Leaks, end: End) {
    let say = |line: &str| world.output.say(process.pid, line);
    if leaks.references > 0 {
        let title = format!("still held{}{}", end.sentence(process.pid), since(process));
        world.output.write(process.pid, &text::leaks(world, leaks, &title));
    }
    world.output.write(process.pid, &text::unexited(world, &leaks.unexited));
    if world.options.stale_handles {
        world.output.write(process.pid, &text::stale_handles(world, process));
    }
    world.output.write(process.pid, &Dropped::now(world, process).lines(world));
    // It is no mistake of the program, but nothing is said of what is held on these objects.
    if leaks.lost > 0 {
        let objects = text::number(leaks.lost, "object");
        say(&format!(
            "{objects} had too many references to be tracked any further: 4,000,000 are the tracker's limit"
        ));
    }
    if leaks.shared > 0 && (leaks.references > 0 || world.options.summary) {
        let objects = text::number(leaks.shared, "object");
        say(&format!("{objects} not judged: in memory that other processes may share"));
    }
    if let (Some(seed), true) = (world.options.chaos, process.found > 0) {
        say(&format!("found with chaos=1:seed={seed}"));
    }
    if world.options.summary {
        say(&format!(
            "{} tracked, {} found, {} stacks, {} MB",
            text::number(process.table.created, "object"),
            process.found,
            world.code.count(),
            world.used() >> 20,
        ));
    }
}
