//! The judge: takes records in, puts events into their order, and works on them.
//!
//! | file | what it has |
//! |---|---|
//! | mod.rs | events, in the order of their numbers |
//! | rings.rs | where records come from |
//! | records.rs | what records say that are no events |
//! | forks.rs | how processes begin |
//! | ends.rs | requests, and how processes end |

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use rustc_hash::FxBuildHasher;
use wire::record::{Kind, MOST_NAME};
use wire::ring::Reader;

use crate::code::Id;
use crate::ends::Watched;
use crate::event::{self, Happened};
use crate::held::THREADS;
use crate::merge::{Numbered, Window};
use crate::object::Act;
use crate::process::Processes;
use crate::report::End;
use crate::session::{Answer, Session};
use crate::stuck::Releases;
use crate::turns::Turns;
use crate::world::World;
use crate::{clock, locked, trace};

mod ends;
mod forks;
mod records;
mod rings;

use forks::Unborn;
use records::Raw;
use rings::Source;

/// After this number of records the judge does its other work, before it reads further records.
pub const MANY: usize = 1 << 14;

/// Where records come from.
enum Origin {
    /// The rings of a session, whose processes are alive.
    Session(Arc<Session>, Vec<Source>),
    /// A file.
    Trace,
}

/// The judge.
pub struct Judge {
    /// What all processes share.
    pub world: World,
    /// The processes.
    pub processes: Processes,
    /// Processes that have begun since the last look.
    pub new: Vec<Watched>,
    unborn: Vec<Unborn>,
    /// Processes that have executed another program since the last look.
    executed: Vec<u16>,
    /// Processes that have ended since the last look, and how much was found in each.
    pub ended: Vec<(u32, u64)>,
    /// The last request at each desk, and the process that it was from.
    pub asked: [(u32, u32); 2],
    /// The text that is given part by part to the request for it.
    text: Option<Answer>,
    /// Where all records go as well.
    pub trace: Option<trace::Writer>,
    releases: Releases,
    origin: Origin,
    window: Window,
    turns: Turns,
    /// The number of the missing event that the judge looks for, and whether all threads have had their turn when the
    /// judge noted it.
    noticed: Option<(u64, bool)>,
    raw: HashMap<u32, Raw, FxBuildHasher>,
    /// Files of processes whose beginning is an event to come.
    early: Vec<(u16, Vec<u64>)>,
    /// Of a trace: what each process shares with others.
    pub shared: Vec<(u16, (u64, u64))>,
    /// Of a trace: the build-id of the next module.
    pub build_id: Option<Vec<u8>>,
    since: SystemTime,
    /// The bytes of the name of the event that is read.
    name: [u8; MOST_NAME],
}

impl Judge {
    /// Of a session's processes. `since` is a time before they were started.
    pub fn of_session(world: World, session: Arc<Session>, since: SystemTime) -> Self {
        let readers = session.rings().iter().map(|&ring| Reader::new(ring));
        let sources = readers.map(Source::new).collect();
        Self::new(world, Origin::Session(session, sources), since)
    }

    /// Of a trace that was written at a time.
    pub fn of_trace(world: World, written: SystemTime) -> Self {
        Self::new(world, Origin::Trace, written)
    }

    fn new(world: World, origin: Origin, since: SystemTime) -> Self {
        Self {
            world,
            processes: Processes::default(),
            new: Vec::new(),
            ended: Vec::new(),
            asked: [(0, 0); 2],
            text: None,
            trace: None,
            releases: Releases::default(),
            origin,
            window: Window::new(),
            turns: Turns::default(),
            noticed: None,
            raw: HashMap::default(),
            early: Vec::new(),
            shared: Vec::new(),
            build_id: None,
            since,
            name: [0; MOST_NAME],
            executed: Vec::new(),
            unborn: Vec::new(),
        }
    }

    /// Reads what the rings have, and works on it. Returns how many records there were, and parts of answers.
    pub fn work(&mut self) -> usize {
        let (mut read, mut is_more) = (0, true);
        while is_more && read < MANY {
            let turn = self.read_rings();
            (read, is_more) = (read + turn.0, turn.1);
            self.apply_ready();
        }
        for number in std::mem::take(&mut self.executed) {
            self.end(number, End::Executed);
            self.let_go(number);
        }
        read + usize::from(self.give_text())
    }

    /// Whether all events before a number have come, or will not.
    pub fn has_reached(&self, number: u64) -> bool {
        self.window.has_reached(number)
    }

    fn apply_ready(&mut self) {
        while let Some(event) = self.window.next() {
            self.prefetch();
            self.apply(&event);
        }
    }

    /// Asks the processor for the memory of the objects of events to come: an object that was not used lately has
    /// to come from far away, three times.
    fn prefetch(&self) {
        for (ahead, step) in [(24, 0), (16, 1), (8, 2)] {
            if let Some(event) = self.window.ahead(ahead)
                && let Some(process) = self.processes.get(event.process)
            {
                process.table.prefetch(event.event.object, step);
            }
        }
    }

    /// Release functions begin and end.
    fn watch_release(&mut self, numbered: &Numbered, by: Act) {
        let event = &numbered.event;
        match numbered.kind {
            Kind::Released => {
                let frame = self.frame_of_caller(event.stack, by.stack);
                self.releases.begin(numbered.process, event.object, by, frame);
            }
            Kind::Done => self.releases.end(event.object, event.thread),
            _ => {}
        }
    }

    /// The address of the frame of the program that has called libkref, or 0.
    fn frame_of_caller(&self, recorded: u32, stack: Id) -> u64 {
        let (code, frames) = (&self.world.code, self.world.numbers.borrow().frames(recorded));
        let places = code.get(stack).map_or(&[][..], |stack| &stack.places);
        let inner = places.iter().take_while(|&&place| code.is_in_libkref(place)).count();
        // In a program that has libkref.a its frames are the program's.
        let caller = if inner == 0 { frames.get(2).or(frames.last()) } else { frames.get(inner) };
        caller.copied().unwrap_or(0)
    }

    /// Tells of release functions that do not return.
    pub fn look_at_releases(&mut self) {
        if self.world.options.stuck == 0 {
            return;
        }
        self.world.now.set(clock::now());
        let processes = &self.processes;
        for number in self.releases.look(&self.world, |number| processes.get(number)) {
            if let Some(process) = self.processes.get_mut(number) {
                process.found += 1;
            }
        }
    }

    /// Tells of threads that wait for a mutex that a release function has left locked.
    pub fn look_at_locks(&mut self) {
        self.world.now.set(clock::now());
        for process in self.processes.all_mut() {
            process.found += locked::look(&self.world, process);
        }
    }

    fn apply(&mut self, numbered: &Numbered) {
        let event = &numbered.event;
        match numbered.kind {
            Kind::Process => return self.begin(numbered.process, event),
            Kind::Forking => return self.fork(numbered.process, event),
            Kind::Thread => return self.world.threads.begin(event.thread, event.count as i32),
            _ => {}
        }
        let stack = self.stack(event.stack);
        let Some(mut process) = self.processes.take(numbered.process) else { return };
        let time = clock::of_nanoseconds(event.time);
        let happened = Happened {
            what: numbered.kind,
            address: event.object,
            recorded: event.stack,
            by: Act { stack, thread: event.thread.min(THREADS - 1), time },
            time: event.time,
            count: event.count,
            detail: event.detail,
            name: numbered.name,
        };
        self.world.now.set(time);
        if self.world.options.stuck > 0 {
            self.watch_release(numbered, happened.by);
        }
        process.last_event = event.sequence;
        let is_request = matches!(
            numbered.kind,
            Kind::Report | Kind::Exit | Kind::Crash | Kind::Begun | Kind::Ends
        );
        if is_request {
            process.asker = self.asker(numbered, stack);
        } else {
            event::apply(&self.world, &mut process, &happened);
        }
        self.processes.put(process);
        if is_request {
            self.answer(numbered.kind, numbered.process, &happened);
        }
    }
}
