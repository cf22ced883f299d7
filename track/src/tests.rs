//! The judge, with records that a test writes into a ring as a recorder would.

use std::cell::RefCell;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::SystemTime;

use wire::record::{Event, Kind, MOST_EVENT_WORDS, write_name};

use crate::judge::Judge;
use crate::options::Options;
use crate::output::Output;
use crate::report::{self, End};
use crate::session::Session;
use crate::world::World;

mod documents;
mod garbage;
mod histories;
mod judged;
mod schema;
mod memory;
mod percpu;
mod speed;

/// A recorder and its judge.
struct Recorder {
    session: Arc<Session>,
    judge: Judge,
    process: u16,
    thread: u32,
}

impl Recorder {
    fn new(options: &str) -> Self {
        Self::with_rings(options, 2, 1 << 16)
    }

    fn with_rings(options: &str, rings: usize, bytes: usize) -> Self {
        let options = Options::parse(options).expect("options");
        let session = Session::with_rings(&options, rings, bytes).expect("memory");
        let session = Arc::new(session);
        let world = World::new(options, Output::Text(RefCell::default()));
        let judge = Judge::of_session(world, Arc::clone(&session), SystemTime::now());
        let mut recorder = Self { session, judge, process: 1, thread: 1 };
        recorder.begin(1, 0, 0);
        recorder
    }

    /// The process is about to fork. Returns the fork's number.
    fn forks(&mut self) -> u64 {
        let sequence = self.number();
        self.event(Kind::Forking, Event { sequence, detail: sequence + 1, ..Event::default() }, "");
        sequence + 1
    }

    /// A process begins: of itself, or as the child of a parent's fork of this number.
    fn begin(&mut self, process: u16, parent: u16, fork: u64) {
        self.process = process;
        let pid = if process == 1 { std::process::id() } else { 1_000_000 + u32::from(process) };
        let sequence = self.number();
        self.write(Kind::Process, &[sequence, 0, 0, pid.into(), parent.into(), fork]);
    }

    fn write(&mut self, kind: Kind, body: &[u64]) {
        let session = Arc::clone(&self.session);
        let ring = session.rings()[self.thread as usize % session.rings().len()];
        while !ring.write(kind, self.process, body) {
            self.judge.work();
            self.judge.give_up(true); // else it waits a second for each number that is garbage
        }
    }

    /// A stack of these return addresses.
    fn stack(&mut self, number: u32, calls: &[u64]) -> u32 {
        let mut body = vec![number.into(), calls.len() as u64];
        calls.iter().zip(1..).for_each(|(&call, frame)| body.extend([call, 0x7000 + 16 * frame]));
        self.write(Kind::Stack, &body);
        number
    }

    /// A file that is mapped.
    fn module(&mut self, start: u64, end: u64, path: &str) {
        let mut body = [0; 40];
        body[..5].copy_from_slice(&[1, start, end, start, path.len() as u64]);
        let words = write_name(path.as_bytes(), &mut body[5..]);
        self.write(Kind::Module, &body[..5 + words]);
    }

    fn number(&self) -> u64 {
        self.session.head().sequence.0.fetch_add(1, Relaxed)
    }

    fn event(&mut self, kind: Kind, event: Event, name: &str) {
        let mut body = [0; MOST_EVENT_WORDS];
        let event = Event { thread: self.thread, ..event };
        let words = event.write(name.as_bytes(), &mut body);
        self.write(kind, &body[..words]);
    }

    fn created(&mut self, object: u64, stack: u32, type_name: &str) {
        let sequence = self.number();
        let event = Event { sequence, object, stack, ..Event::default() };
        self.event(Kind::Created, event, type_name);
    }

    fn got(&mut self, object: u64, stack: u32, holder: &str) {
        let sequence = self.number();
        self.event(Kind::Got, Event { sequence, object, stack, ..Event::default() }, holder);
    }

    fn put(&mut self, object: u64, stack: u32, holder: &str) {
        let sequence = self.number();
        self.event(Kind::Putting, Event { sequence, object, stack, ..Event::default() }, holder);
    }

    fn released(&mut self, object: u64, stack: u32) {
        let sequence = self.number();
        self.event(Kind::Released, Event { sequence, object, stack, ..Event::default() }, "");
    }

    fn percpu(&mut self, object: u64, stack: u32, what: u32) {
        let sequence = self.number();
        let event = Event { sequence, object, stack, count: what, ..Event::default() };
        self.event(Kind::Percpu, event, "");
    }

    /// What was written since the last look.
    fn told(&mut self) -> String {
        while self.judge.work() > 0 {}
        match &self.judge.world.output {
            Output::Text(text) => text.take(),
            _ => unreachable!("a test's output is a text"),
        }
    }

    /// What is held, as a report says it.
    fn held(&mut self) -> String {
        let told = self.told();
        let process = self.judge.processes.get(self.process).expect("a process");
        told + &report::requested(&self.judge.world, process, "a test")
    }

    fn ends(&mut self, end: End) -> String {
        self.told();
        self.judge.give_up(true);
        let process = self.process;
        self.judge.end(process, end);
        self.told()
    }
}

/// Runs one test of this program in a process of its own: one that reads its own memory.
pub fn alone(test: &str) {
    let program = std::env::current_exe().expect("this program");
    let arguments = ["--exact", test, "--ignored", "--test-threads=1"];
    let ended = Command::new(program).args(arguments).output().expect("it runs");
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(said.contains("1 passed"), "{said}");
}

fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}
