//! Processes begin: programs, and the children of forks.
//!
//! A recorder tells of a fork twice: the parent before it ([`Kind::Forking`](wire::record::Kind::Forking)), and the
//! child after it. The child's table is the parent's at the first of these events: a copy, which shares its pages with
//! the parent's until one of both changes them. If the child was made by a bare system call, there is no such event, and
//! the copy is made when the child tells of itself.

use std::sync::atomic::Ordering::Relaxed;

use wire::record::Event;

use crate::ends::{self, Watched};
use crate::judge::{Judge, Origin};
use crate::namespace;
use crate::process::{Parent, Process};

/// A child that a process is about to fork, or has forked, and that has not begun.
pub struct Unborn {
    /// The parent's number for this fork.
    fork: u64,
    process: Process,
}

/// The judge keeps at most this many children that have not begun. If a fork fails, its child never begins, and no
/// record says so.
const MOST_UNBORN: usize = 16;
/// The recorders give each new process the next number. If one of this many numbers from the next one on still belongs to
/// a process, the judge moves the next number behind it, so that two processes never have one number.
const FREE_NUMBERS: u32 = 256;

impl Judge {
    /// A process is about to fork.
    pub(super) fn fork(&mut self, number: u16, event: &Event) {
        let Some(parent) = self.processes.get_mut(number) else { return };
        if !self.world.budget.has_room() {
            self.unborn.clear();
        }
        if self.unborn.len() >= MOST_UNBORN {
            self.unborn.remove(0);
        }
        let process = parent.fork(event.sequence, true);
        self.unborn.push(Unborn { fork: event.detail, process });
    }

    /// Whether a process has recorded nothing since a fork, and the child of that fork has not begun yet.
    pub fn has_unborn(&self, number: u16) -> bool {
        let Some(process) = self.processes.get(number) else { return false };
        let mut parents = self.unborn.iter().filter_map(|unborn| unborn.process.parent);
        parents.any(|parent| parent.number == number && parent.at >= process.last_event)
    }

    /// A process begins.
    pub(super) fn begin(&mut self, number: u16, event: &Event) {
        let own = u32::try_from(event.object).unwrap_or(0);
        if self.processes.get(number).is_some() || own == 0 {
            return;
        }
        let parent = u16::try_from(event.count).unwrap_or(0);
        let is_inside = self.begins_inside(own, parent);
        let pid = if is_inside { self.find(own).unwrap_or(0) } else { own };
        // If the parent has ended, its namespace cannot be read any more. Then `own` may be a number of another PID
        // namespace, and here the number of another process.
        let is_orphan = parent != 0
            && matches!(self.origin, Origin::Session(..))
            && !self.processes.get(parent).is_some_and(|it| ends::is_running(it.pid));
        let is_other = is_orphan && ends::is_other(pid, std::process::id());
        let pid = if is_other { 0 } else { pid };
        let mut process = match parent {
            0 => {
                // A process of this number that is not over has executed another program.
                let same = self.processes.all().filter(|other| other.pid == pid && !other.is_over);
                self.executed.extend(same.map(|other| other.number));
                Process::new(0, 0, &self.world.budget)
            }
            parent => self.child(parent, event),
        };
        (process.number, process.pid) = (number, pid);
        if let Origin::Session(..) = self.origin {
            process.is_inside = is_inside || namespace::is_inside(pid);
            process.shared.begin(pid);
        }
        let shared = self.shared.iter().filter(|shared| shared.0 == number);
        shared.for_each(|shared| process.shared.add(shared.1));
        if let (Origin::Session(..), 1..) = (&self.origin, pid) {
            // Now, when a program waits for its first answer: it may execute another one afterwards.
            self.new.push(Watched::new(number, pid, process.parent.is_some()));
        }
        self.processes.put(Box::new(process));
        for (_, body) in self.early.extract_if(.., |early| early.0 == number).collect::<Vec<_>>() {
            self.map(number, &body);
        }
    }

    /// Whether the number that a new process has itself may differ from the number that the judge sees for it. A
    /// process that was forked into a namespace of its own by a bare system call is the first one there.
    fn begins_inside(&self, own: u32, parent: u16) -> bool {
        let parent = || self.processes.get(parent).filter(|parent| parent.pid != 0);
        let Origin::Session(..) = self.origin else { return false };
        own == 1
            || parent().is_some_and(|it| it.is_inside || namespace::has_children_inside(it.pid))
    }

    fn find(&self, own: u32) -> Option<u32> {
        let is_known = |pid| self.processes.all().any(|it| it.pid == pid && !it.is_over);
        // The judge's first process may have executed another program.
        namespace::find(own, is_known).or_else(|| namespace::find(own, |pid| pid != own))
    }

    fn child(&mut self, parent: u16, event: &Event) -> Process {
        let is_it = |unborn: &mut Unborn| {
            let of = unborn.process.parent.map(|parent| parent.number);
            unborn.fork == event.detail && of == Some(parent)
        };
        if let Some(unborn) = self.unborn.extract_if(.., is_it).next() {
            return unborn.process;
        }
        let at = event.sequence;
        self.processes.get_mut(parent).map_or_else(
            || {
                let mut process = Process::new(0, 0, &self.world.budget);
                process.parent = Some(Parent { number: parent, at, is_exact: false });
                process
            },
            |parent| parent.fork(at, false),
        )
    }

    /// The session's numbers of processes begin again after 65,535. No new process gets the number of a living one, nor
    /// that of one that may still have rings.
    pub fn keep_numbers_free(&self, left: &[Watched]) {
        let Origin::Session(session, _) = &self.origin else { return };
        let counter = &session.head().processes.0;
        let next = counter.load(Relaxed);
        let is_taken = |number: &u32| {
            let number = *number as u16;
            self.processes.get(number).is_some() || left.iter().any(|left| left.number == number)
        };
        let numbers = (0..FREE_NUMBERS).map(|step| next.wrapping_add(step));
        if let Some(taken) = numbers.rev().find(is_taken) {
            counter.fetch_max(taken.wrapping_add(1), Relaxed);
        }
    }
}
