//! When a report is made, and what it says beside what is held.

use std::sync::atomic::Ordering::Relaxed;

use crate::leaks::{self, Leaks};
use crate::object::MARK;
use crate::options::options;
use crate::slow::Undisturbed;
use crate::thread::{self, BROKEN, Inside};
use crate::{flame, json, memory, output, stacks, table, text};

/// What the report does not know, and why.
pub struct Dropped {
    /// Objects for which there was no memory.
    pub objects: u64,
    /// Stacks for which there was none.
    pub stacks: u64,
    /// Events for which there was none.
    pub events: u64,
}

impl Dropped {
    /// Up to now.
    pub fn now() -> Self {
        Self {
            objects: table::LOST.load(Relaxed),
            stacks: stacks::LOST.load(Relaxed),
            events: thread::LOST.load(Relaxed),
        }
    }

    fn lines(&self) -> String {
        let mut lines = String::new();
        let mut line = |count: u64, what: &str, why: &str| {
            if count > 0 {
                let number = text::number(count, what);
                lines += &format!("kref-track: {number} not recorded: {why}\n");
            }
        };
        let full = format!("max_memory={} was reached", options().max_memory >> 20);
        line(self.objects, "object", &full);
        line(self.stacks, "stack", &full);
        line(self.events, "event", "there was no memory for them");
        lines
    }
}

/// kref_track_report() and signal=: always says something.
pub fn on_request(fd: i32, by: &str) {
    inside(|| {
        let leaks = leaks::gather();
        let text = if options().json {
            json::leaks(&leaks, "request")
        } else {
            let title = format!("held{}, asked by {by}", since());
            text::leaks(&leaks, &title) + &Dropped::now().lines()
        };
        output::write_to(fd, &text);
    });
}

/// What a report is of, if not of everything.
fn since() -> &'static str {
    if has_checkpoint() { ", of those taken since the checkpoint" } else { "" }
}

/// Whether reports leave out what was held at a checkpoint.
pub fn has_checkpoint() -> bool {
    MARK.load(Relaxed) > 0
}

/// kref_track_checkpoint(): reports show what comes from now on.
pub fn checkpoint() {
    MARK.fetch_add(1, Relaxed);
}

/// At exit: says nothing if there is nothing to say.
pub fn at_exit() {
    inside(|| {
        let leaks = leaks::gather();
        tell(&leaks);
        if let Some(path) = &options().flamegraph {
            flame::write(&leaks, &output::expand(path, std::process::id()));
        }
    });
    if options().exitcode != 0 && output::FOUND.load(Relaxed) > 0 {
        // SAFETY: what the program has printed and not yet flushed is flushed; then it is over.
        unsafe {
            libc::fflush(std::ptr::null_mut());
            libc::_exit(options().exitcode);
        }
    }
}

fn tell(leaks: &Leaks) {
    let options = options();
    let found = leaks.references > 0;
    output::FOUND.fetch_add(u64::from(found), Relaxed);
    let dropped = Dropped::now();
    if options.json {
        if found || options.summary {
            output::write(&json::leaks(leaks, "exit"));
        }
        if options.stale_handles {
            output::write(&json::stale_handles());
        }
        return;
    }
    if found {
        output::write(&text::leaks(leaks, &format!("still held at exit{}", since())));
    }
    if options.stale_handles {
        output::write(&text::stale_handles());
    }
    output::write(&dropped.lines());
    if leaks.lost > 0 {
        let objects = text::number(leaks.lost, "object");
        output::say(&format!("{objects} had too many references to be tracked any further"));
    }
    if let (Some(seed), true) = (options.chaos, output::FOUND.load(Relaxed) > 0) {
        output::say(&format!("found with chaos=1:seed={seed}"));
    }
    if options.summary {
        output::say(&format!(
            "{} tracked, {} found, {} stacks, {} MB",
            text::number(table::created(), "object"),
            output::FOUND.load(Relaxed),
            stacks::count(),
            memory::used() >> 20,
        ));
    }
}

/// Runs `work` in the tracker. Not in a handler that interrupted the tracker, where a lock may be held.
fn inside(work: impl FnOnce()) {
    if BROKEN.load(Relaxed) {
        return;
    }
    let Some(inside) = thread::enter() else { return };
    if !Inside::is_outermost(&inside) {
        return output::say("asked for a report by a signal handler that interrupted the tracker");
    }
    let _undisturbed = Undisturbed::new();
    work();
}
