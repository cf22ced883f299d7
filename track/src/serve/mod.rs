//! The judge's process: reads the rings until all processes of the session have ended.
//!
//! | file | what it has |
//! |---|---|
//! | mod.rs | the looks at the rings and at the processes |
//! | pace.rs | how long the judge sleeps between two looks |
//! | command.rs | the command that has started the program |

mod command;
mod pace;

use std::collections::BTreeMap;
use std::io::BufReader;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use crate::ask::Desk;
use crate::clock;
use crate::ends::{self, Watched};
use crate::judge::{Judge, MANY};
use crate::live::{self, Live};
use crate::options::Options;
use crate::output::{self, Output};
use crate::report::End;
use crate::session::Session;
use crate::trace::Writer;
use crate::world::World;
use pace::{Pace, SHORTEST};

/// How often the judge looks for what is not in the rings.
const LOOK: Duration = Duration::from_millis(10);
/// How often it looks at what the kernel says of the processes.
const LOOK_AT_PROCESSES: Duration = Duration::from_millis(250);
/// How long the judge waits for the last events of a process that has ended. It goes on without them then: other
/// processes may write without an end.
const LONG_ENOUGH: Duration = Duration::from_secs(3);
/// The longest time that the judge waits for a child to begin whose parent has ended directly after the fork.
const BIRTH: Duration = Duration::from_millis(100);
/// How often the judge gives up missing events when nobody is left. With what is missing then, its last report is made
/// all the same.
const MOST_ROUNDS: u32 = 10_000;
/// The judge forgets a request after this time if the request's record has not come.
const FORGOTTEN: Duration = Duration::from_secs(2);

/// A session that is served.
pub struct Service {
    session: Arc<Session>,
    judge: Judge,
    watched: Vec<Watched>,
    /// Processes that seem to have executed a program which is not tracked. Their rings stay theirs until they end.
    left: Vec<Watched>,
    /// The command that has started the program, and waits for its report.
    command: Option<BufReader<UnixStream>>,
    /// The program that the command has started: the command tells how it ended.
    program: u32,
    /// The number of problems found in all programs that the process has run, one after the other.
    found: Option<u64>,
    desk: Option<Desk>,
    /// The looks of `--live`, by process.
    lives: BTreeMap<u16, Live>,
    looked: Instant,
    looked_at_processes: Instant,
    /// The request that asks, and since when.
    asking: [(u32, Instant); 2],
}

impl Service {
    /// A new session, for a process that is there already, or else this one.
    pub fn new(options: Options, pid: u32) -> Result<Self, String> {
        // Large tables grow by moving their pages: nothing is copied, and nothing is left behind.
        // SAFETY: this process has one thread.
        unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20) };
        let session = Session::new(&options);
        let session = Arc::new(session.map_err(|error| format!("no shared memory: {error}"))?);
        let trace = options.trace.as_deref().map(|path| output::expand(path, pid));
        let trace = trace.map(|path| {
            Writer::create(&path).map_err(|error| format!("the trace {path}: {error}"))
        });
        let trace = trace.transpose()?;
        let output = Output::new(&options);
        let world = World::new(options, output);
        let mut judge = Judge::of_session(world, Arc::clone(&session), SystemTime::now());
        judge.trace = trace;
        Ok(Self {
            session,
            judge,
            watched: Vec::new(),
            left: Vec::new(),
            command: None,
            program: 0,
            found: None,
            desk: Desk::open(),
            lives: BTreeMap::new(),
            looked: Instant::now(),
            looked_at_processes: Instant::now(),
            asking: [(0, Instant::now()); 2],
        })
    }

    /// The path of the memory.
    pub fn path(&self) -> String {
        self.session.path()
    }

    /// Serves a program that another process starts and waits for: it tells of the program's end.
    pub fn of_command(mut self, command: UnixStream) {
        self.command = Some(BufReader::new(command));
        self.serve();
    }

    /// Serves a program that has asked for it itself.
    pub fn of_program(mut self, pid: u32) {
        self.watched.push(Watched::new(0, pid, false));
        self.serve();
    }

    fn serve(&mut self) {
        let mut pace = Pace::new(Instant::now());
        let mut asked = self.judge.asked;
        loop {
            let fill = self.judge.fill();
            let read = self.judge.work();
            // The next part of a text follows as soon as the asking thread has written this one. That may take long:
            // meanwhile `read` is 0, and the pauses grow.
            let has_given = read > 0 && self.judge.gives_text();
            if self.judge.asked != asked || has_given {
                asked = self.judge.asked;
                pace.busy(Instant::now());
            }
            // Unfinished records cannot be read yet. They do not shorten the pause.
            let fill = if read == 0 { 0.0 } else { fill };
            if let Some(pause) = pace.after(fill, Instant::now()).filter(|_| read < MANY) {
                std::thread::sleep(pause);
            }
            if self.looked.elapsed() >= LOOK {
                self.looked = Instant::now();
                self.judge.give_up(false);
                self.look();
                if self.is_over() {
                    break;
                }
            }
        }
        self.judge.end_all();
        if let Some(trace) = &mut self.judge.trace {
            trace.flush();
        }
    }

    /// Looks for new processes and for those that have ended, and at what others ask.
    fn look(&mut self) {
        self.watch_new();
        self.judge.keep_numbers_free(&self.left);
        self.hear();
        self.end_those_over();
        for gone in self.left.extract_if(.., |it| it.is_over()) {
            self.judge.let_go(gone.number);
        }
        if self.looked_at_processes.elapsed() >= LOOK_AT_PROCESSES {
            self.looked_at_processes = Instant::now();
            self.look_at_processes();
        }
        self.count_found();
        if let Some(desk) = &mut self.desk {
            desk.serve(&mut self.judge);
        }
        self.forget_request();
    }

    /// Ends the processes that are over. The rings are read once for all of them: children of forks may end faster than
    /// the judge reads.
    fn end_those_over(&mut self) {
        let watched = std::mem::take(&mut self.watched).into_iter();
        let (ended, others): (Vec<_>, Vec<_>) = watched.partition(|it| self.has_ended(it));
        self.watched = others;
        if !ended.is_empty() {
            self.drain();
            self.await_children(&ended);
            self.judge.world.now.set(clock::now());
        }
        for mut gone in ended {
            let end = if gone.has_executed() { End::Executed } else { End::Left(None) };
            self.judge.end(gone.number, end);
            self.judge.let_go(gone.number);
        }
    }

    /// Waits until the children of processes have begun that have ended directly after a fork. A daemon may begin after its
    /// parent has ended, and takes over the parent's references. If the fork has failed, no child begins, and the wait ends
    /// after [`BIRTH`].
    fn await_children(&mut self, ended: &[Watched]) {
        let since = Instant::now();
        while ended.iter().any(|it| self.judge.has_unborn(it.number)) && since.elapsed() < BIRTH {
            std::thread::sleep(SHORTEST);
            self.judge.work();
            self.watch_new();
        }
    }

    fn has_ended(&self, watched: &Watched) -> bool {
        !self.is_told(watched) && watched.is_over()
    }

    /// Whether the command tells how the process has ended.
    fn is_told(&self, watched: &Watched) -> bool {
        // A program may end before the command has told its number.
        let is_program = watched.pid == self.program || self.program == 0;
        self.command.is_some() && is_program
    }

    /// Ends processes that have executed a program which is not tracked, and looks at what the others have mapped.
    fn look_at_processes(&mut self) {
        let has_executed = |it: &mut Watched| it.number != 0 && it.has_executed();
        let executed: Vec<_> = self.watched.extract_if(.., has_executed).collect();
        if !executed.is_empty() {
            self.drain();
            self.judge.world.now.set(clock::now());
        }
        for gone in executed {
            // If the new program is tracked and has begun meanwhile, the old one is over.
            if !self.watched.iter().any(|it| it.pid == gone.pid) {
                self.judge.end(gone.number, End::Executed);
                self.left.push(gone);
            }
        }
        self.judge.look_at_memory();
        self.judge.look_at_releases();
        self.judge.look_at_locks();
        if self.judge.world.options.live {
            self.show();
        }
    }

    /// Shows what the processes hold.
    fn show(&mut self) {
        let (world, processes) = (&self.judge.world, &self.judge.processes);
        self.lives.retain(|&number, _| processes.get(number).is_some());
        if !self.lives.values().all(Live::is_due) {
            return;
        }
        world.now.set(clock::now());
        let used =
            processes.all().filter(|process| process.table.created > process.table.inherited);
        let looks =
            used.map(|process| self.lives.entry(process.number).or_default().look(world, process));
        let looks: String = looks.collect();
        if !looks.is_empty() {
            world.output.write(self.program, &live::shown(&looks, world.output.descriptor()));
        }
    }

    fn watch_new(&mut self) {
        for new in std::mem::take(&mut self.judge.new) {
            // The new entry replaces an older one of the same pid: that of the program which the process ran before,
            // or one of which only the pid was known.
            self.watched.retain(|watched| watched.pid != new.pid);
            for gone in self.left.extract_if(.., |left| left.pid == new.pid) {
                self.judge.let_go(gone.number);
            }
            self.watched.push(new);
        }
    }

    /// Works on all that processes that are over have written.
    fn drain(&mut self) {
        let end = self.session.head().sequence.0.load(Relaxed);
        let since = Instant::now();
        loop {
            // Not until the rings are empty: others may write without end.
            let read = self.judge.work();
            self.watch_new();
            self.judge.keep_numbers_free(&self.left);
            if self.judge.has_reached(end) || since.elapsed() >= LONG_ENOUGH {
                return;
            }
            let is_nobody_left = || ends::users(std::process::id()).is_empty();
            if read == 0 && self.watched.iter().all(Watched::is_over) && is_nobody_left() {
                break;
            }
            self.judge.give_up(false);
            if read == 0 {
                std::thread::sleep(SHORTEST);
            }
        }
        // Nobody is left who could finish a record. Not for ever: the memory may have anything in it.
        let mut rounds = 0..MOST_ROUNDS;
        while self.judge.give_up(true) && rounds.next().is_some() {
            while self.judge.work() > 0 {}
        }
    }

    /// Lets go of requests whose askers have died.
    fn forget_request(&mut self) {
        let desks = self.session.head().desks.iter();
        for ((desk, seen), (asked, pid)) in desks.zip(&mut self.asking).zip(self.judge.asked) {
            let asking = desk.asking.load(Relaxed);
            if asking != seen.0 {
                *seen = (asking, Instant::now());
            }
            let is_dead = if asked == asking && pid != 0 {
                !ends::is_running(pid)
            } else {
                // The asker has not written its record yet, or its number is not known.
                seen.1.elapsed() >= FORGOTTEN
            };
            if is_dead {
                self.session.forget(asking);
            }
        }
    }

    /// Whether nobody is left. A process that was forked and has not written anything yet has the memory all the
    /// same.
    fn is_over(&mut self) -> bool {
        if self.command.is_some() || !self.watched.is_empty() {
            return false;
        }
        let users = ends::users(std::process::id());
        self.watched.extend(users.into_iter().map(|pid| Watched::new(0, pid, false)));
        self.watched.is_empty()
    }
}
