//! What a record says: of a process, a file, a stack. Events wait in the window for their turn.

use wire::record::{Event, Kind, MOST_FRAMES, MOST_WORDS, NO_NUMBER, read_name};
use wire::ring::First;

use crate::code::Id;
use crate::held::STACKS;
use crate::judge::{Judge, Origin};
use crate::maps;
use crate::merge::Numbered;
use crate::modules::{self, Mapping, Module};
use crate::process::{Mapped, Process};

use crate::trace;

/// A stack whose places are not known yet.
pub struct Raw {
    process: u16,
    calls: Vec<u64>,
    frames: Vec<u64>,
}

/// The most stacks that wait for their first event.
const MOST_RAW: usize = 1 << 16;
/// The most files of processes that have not begun.
const MOST_EARLY: usize = 1 << 10;

impl Judge {
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

    pub(super) fn map(&mut self, process: u16, body: &[u64]) -> Option<()> {
        let &[number, start, end, bias, length] = body.first_chunk::<5>()?;
        let mut path = [0; 8 * MOST_WORDS];
        let length = read_name(usize::try_from(length).ok()?, &body[5..], &mut path)?;
        let names = &self.world.code.names;
        let Some(process) = self.processes.get_mut(process) else {
            if self.early.len() < MOST_EARLY {
                self.early.push((process, body.to_vec()));
            }
            return None;
        };
        let is_known = |known: &Mapped| known.start == start && known.module.has_file();
        if length == 0 && process.modules.iter().any(is_known) {
            return None; // the program's own file: it was opened at the beginning
        }
        let module = match &self.origin {
            Origin::Session(..) => {
                let mapping = Mapping { start, bias, path: &path[..length] };
                let text = maps::read(process.pid).unwrap_or_default();
                Module::of_process(process.pid, &text, &mapping, self.since, names)
            }
            Origin::Trace => {
                let id = self.build_id.take();
                let module = Module::of_trace(&path[..length], id, self.since, names);
                module.number.set(number as u32);
                module
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
    pub(super) fn stack(&mut self, number: u32) -> Id {
        if number == 0 {
            return 0;
        }
        let known = self.world.numbers.borrow().get(number);
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
        if !world.budget.has_room() || world.code.count() + 1 >= STACKS as usize {
            world.stacks_lost.set(world.stacks_lost.get() + 1);
            return 0;
        }
        let Some(process) = self.processes.get(raw.process) else { return 0 };
        let places = raw.calls.iter().map(|&call| process.place(call, &world.code));
        let id = world.code.stack(&places.collect::<Vec<_>>());
        let mut numbers = world.numbers.borrow_mut();
        let has_room = numbers.bytes() < world.budget.limit() / 8;
        numbers.set(number, id, &raw.frames, has_room);
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

    /// Looks at what the processes have mapped that others may share.
    pub fn look_at_memory(&mut self) {
        for process in self.processes.all() {
            process.shared.look();
            if let Some(trace) = &mut self.trace {
                trace.shared(process.number, &process.shared.news());
            }
        }
    }

    /// Opens all files that a program has mapped. A module's record may come when the process is over.
    pub(super) fn open_files(&mut self, number: u16) {
        let Origin::Session(..) = self.origin else { return };
        let (world, since) = (&self.world, self.since);
        let Some(process) = self.processes.get_mut(number) else { return };
        let text = maps::read(process.pid).unwrap_or_default();
        for (start, end, bias) in modules::mapped(process.pid, &text) {
            let mapping = Mapping { start, bias, path: &[] };
            let names = &world.code.names;
            let module = Module::of_process(process.pid, &text, &mapping, since, names);
            process.map(Mapped { start, end, bias, module: world.code.module(module) });
            trace_module(&mut self.trace, process);
        }
    }
}

/// Writes the file that a process has mapped last.
fn trace_module(trace: &mut Option<trace::Writer>, process: &Process) {
    if let (Some(trace), Some(mapped)) = (trace, process.modules.last()) {
        trace.mapped(process.number, mapped);
    }
}
