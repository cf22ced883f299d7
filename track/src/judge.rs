//! The judge: takes records in, puts events into their order, and works on them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::time::{Duration, Instant, SystemTime};

use rustc_hash::FxBuildHasher;
use wire::record::{Event, Kind, MOST_FRAMES, MOST_NAME, MOST_WORDS, NO_NUMBER, read_name};
use wire::ring::{First, Next, Reader};

use crate::code::Id;
use crate::event::{self, Happened};
use crate::merge::{Numbered, Window};
use crate::modules::{self, Mapping, Module};
use crate::object::Act;
use crate::process::{Mapped, Process, Processes};
use crate::report::{self, End};
use crate::session::Session;
use crate::world::{Numbers, World};
use crate::{clock, crash, ends, trace};

/// A stack whose places are not known yet.
struct Raw {
    process: u16,
    calls: Vec<u64>,
    frames: Vec<u64>,
}

/// A ring, and since when an unfinished record stands in the way.
struct Source {
    reader: Reader<'static>,
    stuck: Option<(Next, Instant)>,
    /// The number of the last event.
    last: u64,
}

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
    pub new: Vec<u16>,
    /// Forks that the events have not reached yet: the number of the next event, and the child.
    forks: Vec<(u64, u16)>,
    /// Processes that have executed another program since the last look.
    executed: Vec<u16>,
    /// The last request, and the process that it was from.
    pub asked: (u32, u32),
    /// Where all records go as well.
    pub trace: Option<trace::Writer>,
    origin: Origin,
    window: Window,
    numbers: Numbers,
    raw: HashMap<u32, Raw, FxBuildHasher>,
    /// Files of processes whose beginning is an event to come.
    early: Vec<(u16, Vec<u64>)>,
    /// Of a trace: the build-id of the next module.
    pub build_id: Option<Vec<u8>>,
    since: SystemTime,
    /// The bytes of the name of the event that is read.
    name: [u8; MOST_NAME],
}

/// An unfinished record is passed over after this time.
const PATIENCE: Duration = Duration::from_secs(1);
/// So many records of one ring are read before the next one's turn.
const TURN: usize = 4096;
/// The most stacks that wait for their first event.
const MOST_RAW: usize = 1 << 16;
/// The most files of processes that have not begun.
const MOST_EARLY: usize = 1 << 10;

impl Judge {
    /// Of a session's processes. `since` is a time before they were started.
    pub fn of_session(world: World, session: Arc<Session>, since: SystemTime) -> Self {
        let readers = session.rings().iter().map(|&ring| Reader::new(ring));
        let sources = readers.map(|reader| Source { reader, stuck: None, last: 0 }).collect();
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
            asked: (0, 0),
            trace: None,
            origin,
            window: Window::new(),
            numbers: Numbers::default(),
            raw: HashMap::default(),
            early: Vec::new(),
            build_id: None,
            since,
            name: [0; MOST_NAME],
            executed: Vec::new(),
            forks: Vec::new(),
        }
    }

    /// Reads what the rings have, and works on it. Returns how many records there were.
    pub fn work(&mut self) -> usize {
        let read = self.read_rings();
        self.apply_ready();
        for number in std::mem::take(&mut self.executed) {
            self.end(number, End::Executed);
        }
        read
    }

    fn read_rings(&mut self) -> usize {
        let Origin::Session(session, sources) = &mut self.origin else { return 0 };
        let (session, mut sources) = (Arc::clone(session), std::mem::take(sources));
        let (mut read, mut end) = (0, 0);
        let mut body = [0; MOST_WORDS];
        for source in &mut sources {
            for _ in 0..TURN {
                if self.window.is_ahead(source.last) {
                    break;
                }
                let Some(first) = source.reader.read(&mut body) else { break };
                read += 1;
                source.stuck = None;
                let length = usize::from(first.length).saturating_sub(1).min(MOST_WORDS);
                if body[0] >= end {
                    // Acquire: what the records say was there before their numbers were.
                    end = session.head().sequence.0.load(Acquire);
                }
                self.take(first, &body[..length], end);
                if Kind::of(first.kind).is_some_and(Kind::is_event) && self.window.has(body[0]) {
                    source.last = body[0];
                }
            }
        }
        if let Origin::Session(_, place) = &mut self.origin {
            *place = sources;
        }
        read
    }

    /// Passes over what will never come: records that nobody finishes, and numbers that nobody writes.
    /// Returns whether a record stands in the way, or did.
    pub fn give_up(&mut self, nobody_writes: bool) -> bool {
        let mut is_blocked = false;
        let mut dropped = 0;
        if let Origin::Session(session, sources) = &mut self.origin {
            for source in sources {
                is_blocked |= source.give_up(nobody_writes);
            }
            dropped = session.head().dropped.load(Relaxed);
        }
        // The events that are missing may be behind a record that nobody has finished yet.
        if !is_blocked {
            for number in self.window.pass_over(nobody_writes) {
                if let Some(trace) = &mut self.trace {
                    trace.write(First { kind: Kind::Void as u8, length: 2, process: 0 }, &[number]);
                }
            }
        }
        let (before, lost) = (self.world.events_lost.get(), self.window.passed_over + dropped);
        self.world.events_lost.set(lost);
        if lost > before {
            self.world.lost_at.set(self.world.now.get());
        }
        self.apply_ready();
        is_blocked
    }

    /// Whether all events before a number have come, or will not.
    pub fn has_reached(&self, number: u64) -> bool {
        self.window.has_reached(number)
    }

    /// Takes a record in. `end` is the number of the session's next event.
    pub fn take(&mut self, first: First, body: &[u64], end: u64) {
        let Some(kind) = Kind::of(first.kind) else { return };
        if kind == Kind::Module {
            self.map(first.process, body);
        }
        if let Some(trace) = self.trace.as_mut().filter(|_| kind != Kind::Module) {
            trace.write(first, body);
        }
        if !kind.is_event() {
            let _ = self.note(kind, first.process, body, end);
            return;
        }
        let Some((event, length)) = Event::read(body, &mut self.name) else { return };
        let name = match length {
            0 => crate::names::NONE,
            _ => self.world.code.names.of_bytes(&self.name[..length], self.world.budget.has_room()),
        };
        let late = self.window.add(Numbered { kind, process: first.process, name, event }, end);
        late.iter().for_each(|event| self.apply(event));
    }

    /// A record that is no event.
    fn note(&mut self, kind: Kind, process: u16, body: &[u64], end: u64) -> Option<()> {
        match kind {
            Kind::Stack => self.keep_stack(process, body)?,
            Kind::Void if *body.first()? != NO_NUMBER => {
                self.window.pass(body[0]..body[0] + 1, end)
            }
            Kind::Lost => self.window.pass(*body.first()?..*body.get(1)?, end),
            _ => {}
        }
        Some(())
    }

    fn begin(&mut self, number: u16, event: &Event) {
        let pid = u32::try_from(event.object).unwrap_or(0);
        if self.processes.get(number).is_some() || pid == 0 {
            return;
        }
        let mut process = Process::new(number, pid);
        if let Some(parent) = self.processes.get(u16::try_from(event.count).unwrap_or(0)) {
            let at = event.detail;
            process.forked(parent, at);
            self.forks.push((at, number));
        } else {
            // A process of this number that is not over has executed another program.
            let same = self.processes.all().filter(|other| other.pid == pid && !other.is_over);
            self.executed.extend(same.map(|other| other.number));
        }
        self.processes.put(Box::new(process));
        self.new.push(number);
        for (_, body) in self.early.extract_if(.., |early| early.0 == number).collect::<Vec<_>>() {
            self.map(number, &body);
        }
    }

    fn map(&mut self, process: u16, body: &[u64]) -> Option<()> {
        let &[_, start, end, bias, length] = body.first_chunk::<5>()?;
        let mut path = [0; 8 * MOST_WORDS];
        let length = read_name(usize::try_from(length).ok()?, &body[5..], &mut path)?;
        let names = &self.world.code.names;
        let Some(process) = self.processes.get_mut(process) else {
            if self.early.len() < MOST_EARLY {
                self.early.push((process, body.to_vec()));
            }
            return None;
        };
        let module = match &self.origin {
            Origin::Session(..) => {
                let mapping = Mapping { start, bias, path: &path[..length] };
                Module::of_process(process.pid, &mapping, self.since, names)
            }
            Origin::Trace => {
                Module::of_trace(&path[..length], self.build_id.take(), self.since, names)
            }
        };
        let module = self.world.code.module(module);
        process.map(Mapped { start, end, bias, module });
        trace_module(&mut self.trace, process);
        Some(())
    }

    fn keep_stack(&mut self, process: u16, body: &[u64]) -> Option<()> {
        let (number, count) = (u32::try_from(*body.first()?).ok()?, *body.get(1)? as usize);
        let pairs = body[2..].chunks_exact(2).take(count.min(MOST_FRAMES));
        let (calls, frames) = pairs.map(|pair| (pair[0], pair[1])).unzip();
        if self.raw.len() < MOST_RAW {
            self.raw.insert(number, Raw { process, calls, frames });
        }
        Some(())
    }

    /// Our number of a recorder's stack.
    fn stack(&mut self, number: u32) -> Id {
        if number == 0 {
            return 0;
        }
        let known = self.numbers.get(number);
        if known != 0 {
            return known;
        }
        if !self.raw.contains_key(&number) {
            self.read_rings(); // it may be in a ring that was read before
        }
        let Some(raw) = self.raw.remove(&number) else { return 0 };
        if !self.is_mapped(&raw) {
            self.read_rings();
            self.map_as_parent(raw.process);
        }
        let world = &self.world;
        if !world.budget.has_room() {
            world.stacks_lost.set(world.stacks_lost.get() + 1);
            return 0;
        }
        let Some(process) = self.processes.get(raw.process) else { return 0 };
        let places = raw.calls.iter().map(|&call| process.place(call, &world.code));
        let id = world.code.stack(&places.collect::<Vec<_>>());
        let has_room = self.numbers.bytes() < world.budget.limit() / 8;
        self.numbers.set(number, id, &raw.frames, has_room);
        id
    }

    fn map_as_parent(&mut self, number: u16) {
        let Some(mut process) = self.processes.take(number) else { return };
        if let Some(parent) = process.parent.and_then(|parent| self.processes.get(parent.number)) {
            process.map_as(&parent.modules);
        }
        self.processes.put(process);
    }

    /// Whether the files of all calls are known.
    fn is_mapped(&self, raw: &Raw) -> bool {
        self.processes.get(raw.process).is_some_and(|process| {
            raw.calls.iter().all(|call| process.module(call.wrapping_sub(1)).is_some())
        })
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

    /// The events have come to a number: what came before forks at lower numbers is known.
    fn reach_forks(&mut self, next: u64) {
        let reached: Vec<_> = self.forks.extract_if(.., |&mut (at, _)| at <= next).collect();
        for (_, child) in reached {
            let parent = self.processes.get(child).and_then(|child| child.parent);
            let parent = parent.and_then(|parent| self.processes.get(parent.number));
            let created = parent.map_or(0, |parent| parent.table.created);
            if let Some(child) = self.processes.get_mut(child) {
                child.fork_is_reached(created);
            }
        }
    }

    fn apply(&mut self, numbered: &Numbered) {
        let event = &numbered.event;
        if !self.forks.is_empty() {
            self.reach_forks(event.sequence);
        }
        match numbered.kind {
            Kind::Process => return self.begin(numbered.process, event),
            Kind::Thread => return self.world.threads.begin(event.thread, event.count as i32),
            _ => {}
        }
        let stack = self.stack(event.stack);
        let Some(mut process) = self.processes.take(numbered.process) else { return };
        let time = clock::of_nanoseconds(event.time);
        let happened = Happened {
            what: numbered.kind,
            address: event.object,
            by: Act { stack, thread: event.thread, time },
            time: event.time,
            count: event.count,
            detail: event.detail,
            name: numbered.name,
        };
        self.world.now.set(time);
        process.last_event = event.sequence;
        let is_request =
            matches!(numbered.kind, Kind::Report | Kind::Exit | Kind::Crash | Kind::Begun);
        if !is_request {
            event::apply(&self.world, &mut process, &self.processes, &happened);
        }
        self.processes.put(process);
        if is_request {
            self.answer(numbered.kind, numbered.process, &happened);
        }
    }

    /// Opens all files that a program has mapped. A module's record may come when the process is over.
    fn open_files(&mut self, number: u16) {
        let Origin::Session(..) = self.origin else { return };
        let (world, since) = (&self.world, self.since);
        let Some(process) = self.processes.get_mut(number) else { return };
        for (start, end, bias) in modules::mapped(process.pid) {
            let mapping = Mapping { start, bias, path: &[] };
            let module = Module::of_process(process.pid, &mapping, since, &world.code.names);
            process.map(Mapped { start, end, bias, module: world.code.module(module) });
            trace_module(&mut self.trace, process);
        }
    }

    /// A daemon's parent may have ended before the daemon, and nobody has seen it yet.
    fn inherit_from_dead_parent(&mut self, number: u16) {
        let parent = self.processes.get(number).and_then(|process| process.parent);
        let Some(parent) = parent.map(|parent| parent.number) else { return };
        let pid = self.processes.get(parent).filter(|it| !it.is_reported).map(|it| it.pid);
        if self.processes.heir(parent) == Some(number)
            && pid.is_some_and(|it| !ends::is_running(it))
        {
            self.inherit(parent, number);
        }
    }

    /// What a process held when it ended becomes its child's, which goes on with it.
    fn inherit(&mut self, parent: u16, heir: u16) {
        self.processes.inherit(parent, heir, &self.world.budget);
        if let Some(process) = self.processes.get_mut(parent) {
            process.is_reported = true;
        }
    }

    /// A request: the recorder waits for the answer, unless its number is 0.
    fn answer(&mut self, kind: Kind, number: u16, event: &Happened) {
        match kind {
            Kind::Begun => self.open_files(number),
            Kind::Exit => self.inherit_from_dead_parent(number),
            _ => {}
        }
        let Some(process) = self.processes.get_mut(number) else { return };
        let world = &self.world;
        let mut text = String::new();
        match kind {
            Kind::Exit if !process.is_reported => report::at_end(world, process, End::Exit),
            Kind::Crash => {
                process.crashed = i32::try_from(event.count).ok();
                let signal = event.count as i32;
                let text = crash::report(world, process, signal, event.address, event.by);
                world.output.write(process.pid, &text);
            }
            Kind::Report if event.detail == 0 => {
                world.output.write(process.pid, &report::requested(world, process, "a signal"));
            }
            Kind::Report => text = report::requested(world, process, "the program"),
            _ => {}
        }
        let (pid, found) = (process.pid, process.found);
        if let (Origin::Session(session, _), Ok(request)) =
            (&self.origin, u32::try_from(event.detail))
        {
            session.head().found.store(u32::try_from(found).unwrap_or(u32::MAX), Relaxed);
            self.asked = (request, pid);
            session.answer(request, &text, || ends::is_running(pid));
        } else {
            world.output.write(pid, &text);
        }
    }

    /// The end of a process: its report, if there was none at its exit. Returns how much was found in it.
    pub fn end(&mut self, number: u16, end: End) -> u64 {
        let daemon =
            self.processes.heir(number).filter(|_| matches!(end, End::Left(None | Some(0))));
        let process = self.processes.get_mut(number).filter(|process| !process.is_over);
        let Some(process) = process else { return 0 };
        let end = match (end, process.crashed) {
            (End::Left(None), Some(signal)) => End::Signal(signal),
            (end, _) => end,
        };
        process.is_over = true;
        if let Origin::Session(session, _) = &self.origin {
            session.rings().iter().for_each(|ring| ring.let_go(number.into(), None));
        }
        if let Some(trace) = &mut self.trace {
            trace.ended(number, end, self.world.now.get());
        }
        if !process.is_reported {
            match daemon {
                Some(heir) => self.inherit(number, heir),
                None => report::at_end(&self.world, process, end),
            }
        }
        let found = self.processes.get(number).map_or(0, |process| process.found);
        self.processes.forget(&self.world.budget);
        found
    }
}

/// Writes the file that a process has mapped last.
fn trace_module(trace: &mut Option<trace::Writer>, process: &Process) {
    if let (Some(trace), Some(mapped)) = (trace, process.modules.last()) {
        trace.mapped(process.number, mapped);
    }
}

impl Source {
    /// Passes over a record that is unfinished for too long. Returns whether there is an unfinished one, or was.
    fn give_up(&mut self, nobody_writes: bool) -> bool {
        let next = self.reader.next();
        if !matches!(next, Next::Unfinished(_)) {
            self.stuck = None;
            return false;
        }
        let since = match self.stuck {
            Some((before, since)) if before == next => since,
            _ => Instant::now(),
        };
        self.stuck = Some((next, since));
        if nobody_writes || since.elapsed() >= PATIENCE {
            self.reader.skip();
            self.stuck = None;
        }
        true
    }
}
