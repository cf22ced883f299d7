//! A process: its objects, and where its files are mapped.

use std::collections::HashSet;

use rustc_hash::FxBuildHasher;

use crate::budget::Budget;
use crate::code::{Code, Id, PlaceId};
use crate::misuse::Kind;
use crate::modules::Module;
use crate::object::{Mark, RELEASED};
use crate::slab::At;
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
    /// The objects that it had created.
    pub created: u64,
    /// The number of the next event at the fork.
    pub at: u64,
}

/// A process. A program that a process executes is another one.
pub struct Process {
    /// Its number in the session.
    pub number: u16,
    /// The kernel's number.
    pub pid: u32,
    /// Where it was forked.
    pub parent: Option<Parent>,
    /// The objects.
    pub table: Table,
    /// The checkpoint after which objects are created now.
    pub mark: Mark,
    /// How many checkpoints there were.
    pub checkpoints: u64,
    /// The files.
    pub modules: Vec<Mapped>,
    /// Misuse that was reported: once for each stack.
    pub told: HashSet<(Kind, Id), FxBuildHasher>,
    /// Lookups by handle that found no object.
    pub stale: Stale,
    /// How many reports of misuse and leaks there were.
    pub found: u64,
    /// The number of its last event.
    pub last_event: u64,
    /// The fatal signal of a thread.
    pub crashed: Option<i32>,
    /// Whether its report has been written.
    pub is_reported: bool,
    /// Whether it is over.
    pub is_over: bool,
}

impl Process {
    /// A process that has no objects yet.
    pub fn new(number: u16, pid: u32) -> Self {
        Self {
            number,
            pid,
            parent: None,
            table: Table::default(),
            mark: 1,
            checkpoints: 0,
            modules: Vec::new(),
            told: HashSet::default(),
            stale: Stale::default(),
            found: 0,
            last_event: 0,
            crashed: None,
            is_reported: false,
            is_over: false,
        }
    }

    /// A fork's child: it has the parent's files, and its objects, which are looked up when they are used.
    pub fn forked(&mut self, parent: &Self, at: u64) {
        self.parent = Some(Parent { number: parent.number, created: 0, at });
        self.modules.clone_from(&parent.modules);
    }

    /// All that the parent did before the fork is known.
    pub fn fork_is_reached(&mut self, parent_created: u64) {
        if let Some(parent) = &mut self.parent {
            parent.created = parent_created;
        }
        self.table.created = parent_created;
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

    /// The object at an address: its own, or one that an ancestor had when it forked.
    pub fn find(&mut self, address: u64, others: &Processes, budget: &Budget) -> Option<At> {
        let own = self.table.find(address);
        if own.is_some() || self.parent.is_none() {
            return own;
        }
        let (mut parent, mut unsure) = (self.parent, false);
        while let Some(Parent { number, created, .. }) = parent {
            let Some(process) = others.get(number) else { break };
            if let Some(at) = process.table.find(address) {
                let object = process.table.object(at);
                // What the parent did with the object since then is not the child's.
                if object.serial <= created && !object.is(RELEASED) {
                    return self.table.inherit(&process.table, at, |_| 0, budget);
                }
                unsure = true;
            }
            parent = process.parent;
        }
        if unsure { self.table.adopt(address, budget) } else { None }
    }

    /// kref_track_checkpoint(): reports show what comes from now on.
    pub fn checkpoint(&mut self) {
        self.checkpoints += 1;
        if self.mark == Mark::MAX {
            self.table.renumber(0, 0);
            self.mark = 0;
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

    /// A living child that was forked as the last thing that a process did: a daemon, which goes on with what its
    /// parent held.
    pub fn heir(&self, number: u16) -> Option<u16> {
        let last_event = self.get(number)?.last_event;
        let is_heir = |process: &&Process| {
            let parent = process.parent.filter(|parent| parent.number == number);
            !process.is_over && parent.is_some_and(|parent| parent.at > last_event)
        };
        self.all().find(is_heir).map(|process| process.number)
    }

    /// What a process holds becomes its heir's.
    pub fn inherit(&mut self, number: u16, heir: u16, budget: &Budget) {
        let Some(mut heir) = self.take(heir) else { return };
        if let Some(process) = self.get(number) {
            let own = heir.mark;
            let mark = |before: Mark| if before == process.mark { own } else { 0 };
            for at in process.table.live_numbers() {
                let address = process.table.object(at).address;
                match heir.table.find(address) {
                    None => _ = heir.table.inherit(&process.table, at, mark, budget),
                    Some(at) if process.checkpoints == 0 => heir.table.own(at, own),
                    Some(_) => {}
                }
            }
            heir.checkpoints = process.checkpoints;
        }
        self.put(heir);
    }

    /// Drops the processes that are over and of which no living one is a descendant.
    pub fn forget(&mut self, budget: &Budget) {
        let mut needed = HashSet::new();
        for process in self.all().filter(|process| !process.is_over) {
            let mut parent = process.parent;
            while let Some(Parent { number, .. }) = parent {
                if !needed.insert(number) {
                    break;
                }
                parent = self.get(number).and_then(|process| process.parent);
            }
        }
        for place in &mut self.all {
            let is_needless =
                |process: &Process| process.is_over && !needed.contains(&process.number);
            if let Some(process) = place.take_if(|process| is_needless(process)) {
                budget.give_back(process.table.bytes());
            }
        }
    }
}
