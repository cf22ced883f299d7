//! A process: its objects, and where its files are mapped.

use std::collections::HashSet;

use rustc_hash::FxBuildHasher;

use crate::balance::Regions;
use crate::budget::Budget;
use crate::code::{Code, Id, PlaceId};
use crate::leaks::Key;
use crate::misuse::Kind;
use crate::modules::Module;
use crate::object::Mark;
use crate::percpu::Killed;
use crate::reach::Asker;
use crate::shared::Shared;
use crate::stale::Stale;
use crate::table::Table;

/// A mapped file.
#[derive(Clone, Copy)]
pub struct Mapped {
    /// The first address.
    pub start: u64,
    /// The address after the last.
    pub end: u64,
    /// What the file's addresses are relative to.
    pub bias: u64,
    /// The file.
    pub module: &'static Module,
}

/// The process that forked this one.
#[derive(Debug, Clone, Copy)]
pub struct Parent {
    /// Its number.
    pub number: u16,
    /// The number of the event at the fork.
    pub at: u64,
    /// Whether the objects are those that the parent had at the fork. Otherwise nothing told of the fork: they are those
    /// that the parent had at the child's first event.
    pub is_exact: bool,
}

/// A process. A program that a process executes is another one.
pub struct Process {
    /// Its number in the session.
    pub number: u16,
    /// The kernel's number, as the judge sees it. 0: the judge does not find the process, which is in another PID
    /// namespace.
    pub pid: u32,
    /// Whether it is in another PID namespace.
    pub is_inside: bool,
    /// Where it was forked.
    pub parent: Option<Parent>,
    /// The objects.
    pub table: Table,
    /// The checkpoint after which objects are created now.
    pub mark: Mark,
    /// The first of these.
    first_mark: Mark,
    /// How many checkpoints there were.
    pub checkpoints: u64,
    /// The files.
    pub modules: Vec<Mapped>,
    /// Memory that it shares with others.
    pub shared: Shared,
    /// Misuse that was reported: once for each stack.
    pub told: HashSet<(Kind, Id), FxBuildHasher>,
    /// Threads that wait for a mutex of their own, by the kernel's numbers.
    pub self_locked: HashSet<i32, FxBuildHasher>,
    /// What threads do between kref_balance_begin() and kref_balance_end().
    pub regions: Regions,
    /// Types of which an object has reached --watermark.
    pub high: HashSet<Key, FxBuildHasher>,
    /// Types of which an object was released.
    pub ended: HashSet<Key, FxBuildHasher>,
    /// Who killed percpu_refs.
    pub killed: Killed,
    /// Lookups by handle that found no object.
    pub stale: Stale,
    /// How many reports of misuse and leaks there were.
    pub found: u64,
    /// The number of its last event.
    pub last_event: u64,
    /// The fatal signal of a thread.
    pub crashed: Option<i32>,
    /// The thread that waits for the report.
    pub asker: Option<Asker>,
    /// Whether its report has been written.
    pub is_reported: bool,
    /// Whether it is over.
    pub is_over: bool,
}

impl Process {
    /// A process that has no objects yet.
    pub fn new(number: u16, pid: u32, budget: &Budget) -> Self {
        Self::with(number, pid, Table::new(budget))
    }

    fn with(number: u16, pid: u32, table: Table) -> Self {
        Self {
            number,
            pid,
            is_inside: false,
            parent: None,
            table,
            mark: 1,
            first_mark: 1,
            checkpoints: 0,
            modules: Vec::new(),
            shared: Shared::default(),
            told: HashSet::default(),
            self_locked: HashSet::default(),
            regions: Regions::default(),
            high: HashSet::default(),
            ended: HashSet::default(),
            killed: Killed::default(),
            stale: Stale::default(),
            found: 0,
            last_event: 0,
            crashed: None,
            asker: None,
            is_reported: false,
            is_over: false,
        }
    }

    /// A fork's child: it has the parent's files and objects. What was held at the fork came before the child's first
    /// mark, so no report blames the child for it.
    pub fn fork(&mut self, at: u64, is_exact: bool) -> Self {
        let mut child = Self::with(0, 0, self.table.fork());
        child.parent = Some(Parent { number: self.number, at, is_exact });
        child.modules.clone_from(&self.modules);
        child.ended.clone_from(&self.ended);
        child.killed.clone_from(&self.killed);
        child.shared.extend(&self.shared);
        child.mark = self.mark;
        child.next_mark();
        child.first_mark = child.mark;
        child
    }

    /// What the parent held is this process's own now: the parent has ended, and this process goes on.
    fn take_over(&mut self, parent_checkpoints: u64) {
        self.table.inherited = 0;
        if self.checkpoints == 0 {
            let (own, parents) = (self.first_mark, self.first_mark - 1);
            self.table.renumber(|mark| if mark == parents { own } else { mark });
            self.checkpoints = parent_checkpoints;
        }
    }

    /// Whether the parent may have done something with its objects after the fork, that this table has as well.
    pub fn is_guessed(&self) -> bool {
        self.parent.is_some_and(|parent| !parent.is_exact)
    }

    /// Takes over files that the parent has mapped, and that were not known at the fork.
    pub fn map_as(&mut self, parent: &[Mapped]) {
        for mapped in parent {
            if self.module(mapped.start).is_none() {
                self.modules.push(*mapped);
            }
        }
    }

    /// Adds a mapped file. It takes the place of those that were there, unless it could not be opened and the same one
    /// could before.
    pub fn map(&mut self, mapped: Mapped) {
        let known = self.modules.iter().find(|known| known.start == mapped.start);
        if !mapped.module.has_file() && known.is_some_and(|known| known.module.has_file()) {
            return;
        }
        self.modules.retain(|old| old.end <= mapped.start || old.start >= mapped.end);
        self.modules.push(mapped);
    }

    /// The file at an address.
    pub fn module(&self, address: u64) -> Option<&Mapped> {
        self.modules.iter().find(|mapped| (mapped.start..mapped.end).contains(&address))
    }

    /// The place of a return address: the call before it is to blame.
    pub fn place(&self, address: u64, code: &Code) -> PlaceId {
        let call = address.wrapping_sub(1);
        match self.module(call) {
            Some(mapped) => code.place(Some(mapped.module), call.wrapping_sub(mapped.bias)),
            None => code.place(None, call),
        }
    }

    /// The place where a function begins, or 0 for none.
    pub fn function(&self, address: u64, code: &Code) -> PlaceId {
        if address == 0 { 0 } else { self.place(address.wrapping_add(1), code) }
    }

    /// kref_track_checkpoint(): reports show what comes from now on.
    pub fn checkpoint(&mut self) {
        self.checkpoints += 1;
        self.next_mark();
    }

    fn next_mark(&mut self) {
        if self.mark == Mark::MAX {
            self.table.renumber(|mark| u8::from(mark == Mark::MAX));
            self.mark = 1;
        }
        self.mark += 1;
    }
}

/// All processes, by number. The one that is worked on is not among them.
#[derive(Default)]
pub struct Processes {
    all: Vec<Option<Box<Process>>>,
}

impl Processes {
    /// The process by its number.
    pub fn get(&self, number: u16) -> Option<&Process> {
        self.all.get(usize::from(number))?.as_deref()
    }

    /// The process by its number.
    pub fn get_mut(&mut self, number: u16) -> Option<&mut Process> {
        self.all.get_mut(usize::from(number))?.as_deref_mut()
    }

    /// Takes a process out, to work on it beside the others.
    pub fn take(&mut self, number: u16) -> Option<Box<Process>> {
        self.all.get_mut(usize::from(number))?.take()
    }

    /// Puts it in.
    pub fn put(&mut self, process: Box<Process>) {
        let place = usize::from(process.number);
        if place >= self.all.len() {
            self.all.resize_with(place + 1, || None);
        }
        self.all[place] = Some(process);
    }

    /// All that are there.
    pub fn all(&self) -> impl Iterator<Item = &Process> {
        self.all.iter().flatten().map(|process| &**process)
    }

    /// All that are there.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        self.all.iter_mut().flatten().map(|process| &mut **process)
    }

    /// A living child that was forked as the last thing that a process did: a daemon, which goes on with what its
    /// parent held.
    pub fn heir(&self, number: u16) -> Option<u16> {
        let last_event = self.get(number)?.last_event;
        let is_heir = |process: &&Process| {
            let parent = process.parent.filter(|parent| parent.number == number);
            !process.is_over
                && !process.is_reported
                && parent.is_some_and(|parent| parent.at >= last_event)
        };
        self.all().find(is_heir).map(|process| process.number)
    }

    /// What a process holds becomes its heir's.
    pub fn inherit(&mut self, number: u16, heir: u16) {
        let checkpoints = self.get(number).map_or(0, |process| process.checkpoints);
        if let Some(heir) = self.get_mut(heir) {
            heir.take_over(checkpoints);
        }
    }

    /// Drops the processes that are over.
    pub fn forget(&mut self) {
        for place in &mut self.all {
            let _ = place.take_if(|process| process.is_over);
        }
    }
}
