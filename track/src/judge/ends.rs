//! Requests, and the ends of processes.

use std::sync::atomic::Ordering::Relaxed;

use wire::head::{WITHOUT_TEXT, desk_of};
use wire::record::Kind;

use crate::code::{Id, PlaceId};
use crate::event::Happened;
use crate::judge::{Judge, Origin};
use crate::merge::Numbered;
use crate::reach::Asker;
use crate::report::{self, End};
use crate::session::{Answer, Given};
use crate::{balance, crash, ends};

/// Frames that are farther from each other are not of one stack.
const LARGEST_STACK: u64 = 1 << 31;

impl Judge {
    /// A request: the recorder waits for the answer, unless its number is 0.
    pub(super) fn answer(&mut self, kind: Kind, number: u16, event: &Happened) {
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
                crash::report(world, process, signal, event.address, event.by);
            }
            Kind::Report if event.detail == 0 => {
                report::by_signal(world, process);
            }
            Kind::Report => text = report::requested(world, process, "the program"),
            _ => {}
        }
        process.asker = None;
        let left = (kind == Kind::Ends).then(|| balance::end(world, process, event.by));
        let (pid, found) = (process.pid, left.unwrap_or(process.found));
        if let (Origin::Session(session, _), Ok(request)) =
            (&self.origin, u32::try_from(event.detail))
        {
            let desk = desk_of(kind);
            if let Some(asked) = self.asked.get_mut(desk) {
                *asked = (request, pid);
            }
            if desk == WITHOUT_TEXT {
                session.head().found.store(u32::try_from(found).unwrap_or(u32::MAX), Relaxed);
                session.answer(request);
            } else if request != 0 {
                self.text = Some(Answer::new(request, text));
                self.give_text();
            }
        } else {
            world.output.write(pid, &text);
        }
    }

    /// The thread that waits for an answer, and where its stack is in use.
    pub(super) fn asker(&self, numbered: &Numbered, stack: Id) -> Option<Asker> {
        let (event, world) = (&numbered.event, &self.world);
        let tid = world.threads.kernel_number(event.thread).filter(|_| event.detail != 0)?;
        let mut frames = self.world.numbers.borrow().frames(event.stack);
        // The first function of a thread has no address.
        let first = frames.first().copied().unwrap_or(0);
        frames.retain(|&frame| frame.wrapping_sub(first) < LARGEST_STACK);
        let is_programs = |&place: &PlaceId| {
            let file = world.code.file(place);
            file.is_none_or(|file| {
                !["libc.so", "libc-", "ld-"].iter().any(|name| file.name.starts_with(name))
            })
        };
        let places = world.code.get(stack).map_or(&[][..], |stack| &stack.places);
        // _start() is the program's, too, and called __libc_start_main().
        let has_returned = numbered.kind == Kind::Exit
            && places.split_last().is_some_and(|(outermost, others)| {
                is_programs(outermost) && !others.iter().any(is_programs)
            });
        Some(Asker { tid, frames, has_returned })
    }

    /// Whether a thread of the program still waits for a further part of a text.
    pub fn gives_text(&self) -> bool {
        self.text.is_some()
    }

    /// Gives the asker of a text its next part. Returns whether there was something to give.
    pub(super) fn give_text(&mut self) -> bool {
        let (Origin::Session(session, _), Some(text)) = (&self.origin, &mut self.text) else {
            return false;
        };
        let given = session.give_part(text);
        self.text.take_if(|_| given == Given::Last);
        given != Given::Nothing
    }

    /// A daemon's parent may have ended before the daemon, and nobody has seen it yet. All processes of a trace have
    /// ended: there its records tell.
    fn inherit_from_dead_parent(&mut self, number: u16) {
        if !matches!(self.origin, Origin::Session(..)) {
            return;
        }
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
        self.processes.inherit(parent, heir);
        if let Some(process) = self.processes.get_mut(parent) {
            process.is_reported = true;
        }
    }

    /// The rings of a process become nobody's. The process writes no more: it has ended, or another program has begun in
    /// it.
    pub fn let_go(&self, number: u16) {
        if let Origin::Session(session, _) = &self.origin {
            session.rings().iter().for_each(|ring| ring.let_go(number.into(), None));
        }
    }

    /// Nobody has the memory any more: so those are over, too, whose ends the judge could not see.
    pub fn end_all(&mut self) {
        let left: Vec<_> = self.processes.all().map(|process| process.number).collect();
        left.into_iter().for_each(|number| self.end(number, End::Left(None)));
    }

    /// The end of a process: its report, if there was none at its exit.
    pub fn end(&mut self, number: u16, end: End) {
        let daemon =
            self.processes.heir(number).filter(|_| matches!(end, End::Left(None | Some(0))));
        let process = self.processes.get_mut(number).filter(|process| !process.is_over);
        let Some(process) = process else { return };
        let end = match (end, process.crashed) {
            (End::Left(None), Some(signal)) => End::Signal(signal),
            (end, _) => end,
        };
        process.is_over = true;
        if let Some(trace) = &mut self.trace {
            trace.shared(number, &process.shared.news());
            trace.ended(number, end, self.world.now.get(), &self.world.code);
        }
        // A child that has done nothing but to end, or to execute another program.
        let is_silent = process.parent.is_some() && process.last_event == 0 && daemon.is_none();
        if !process.is_reported && !is_silent {
            match daemon {
                Some(heir) => self.inherit(number, heir),
                None => report::at_end(&self.world, process, end),
            }
        }
        if let Some(process) = self.processes.get(number) {
            self.ended.push((process.pid, process.found));
        }
        self.processes.forget();
        self.releases.forget(number);
        self.world.rates.forget(number);
    }
}
