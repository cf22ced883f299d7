//! A judge that judges nothing: makes a session, starts a program, and prints the records. For tests of the recorder.
//!
//!     reader [--quiet] [--drain] [--depth N] [--sample N] [--seed N] [--lossy] [--keep-freed] [--signal N] [--found N]
//!            [--exit-code N] [--ring BYTES] [--stall MS] [--die MS] [--answer TEXT] PROGRAM [ARGUMENTS]
//!
//! `--drain`: events are read and not looked at. `--stall`: nothing is read for so long. `--die`: nothing is read from then on, and the beat stops.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd};
use std::process::{Child, Command, ExitCode};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

use wire::head::{
    ANSWERED, CHAOS, Desk, HEAD_BYTES, Head, KEEP_FREED, LOSSY, MAGIC, MORE, Settings, desk_of,
};
use wire::record::{Event, Kind, MOST_NAME, MOST_WORDS, NO_NUMBER, read_name};
use wire::ring::{First, Next, Reader, Ring};

const ANSWER: usize = 4096;

struct Options {
    quiet: bool,
    drain: bool,
    settings: Settings,
    found: u32,
    ring: usize,
    stall: Duration,
    die: Option<Duration>,
    answer: String,
    command: Vec<String>,
}

fn options() -> Options {
    let settings =
        Settings { depth: 16, sample: 1, flags: 0, exit_code: 0, seed: 0, signal: 0, filters: 0 };
    let mut options = Options {
        quiet: false,
        drain: false,
        settings,
        found: 0,
        ring: 128 + (512 << 10),
        stall: Duration::ZERO,
        die: None,
        answer: "the answer\n".into(),
        command: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number =
            || -> u64 { arguments.next().and_then(|n| n.parse().ok()).expect("a number") };
        match argument.as_str() {
            "--quiet" => options.quiet = true,
            "--drain" => options.drain = true,
            "--lossy" => options.settings.flags |= LOSSY,
            "--keep-freed" => options.settings.flags |= KEEP_FREED,
            "--depth" => options.settings.depth = number() as u32,
            "--sample" => options.settings.sample = number() as u32,
            "--signal" => options.settings.signal = number() as u32,
            "--found" => options.found = number() as u32,
            "--exit-code" => options.settings.exit_code = number() as u32,
            "--ring" => options.ring = number() as usize,
            "--stall" => options.stall = Duration::from_millis(number()),
            "--die" => options.die = Some(Duration::from_millis(number())),
            "--answer" => options.answer = arguments.next().expect("a text"),
            "--seed" => {
                options.settings.flags |= CHAOS;
                options.settings.seed = number();
            }
            _ => {
                options.command.push(argument);
                options.command.extend(arguments.by_ref());
            }
        }
    }
    options
}

struct Session {
    file: File,
    start: *mut u8,
    rings: usize,
}

impl Session {
    fn new(options: &Options) -> Self {
        let rings = 8;
        // SAFETY: a C string; a new descriptor.
        let file =
            unsafe { File::from_raw_fd(libc::memfd_create(c"reader".as_ptr(), libc::MFD_CLOEXEC)) };
        let bytes = HEAD_BYTES + ANSWER + rings * options.ring;
        file.set_len(bytes as u64).expect("room");
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), bytes, access, libc::MAP_SHARED, file.as_raw_fd(), 0)
        };
        assert_ne!(start, libc::MAP_FAILED);
        let head = start.cast::<Head>();
        // SAFETY: nobody else knows of the memory.
        unsafe {
            (*head).rings = rings as u32;
            (*head).ring_bytes = options.ring as u32;
            (*head).answer_bytes = ANSWER as u32;
            (*head).judge = std::process::id();
            (*head).settings = options.settings;
            (*head).found.store(options.found, Relaxed);
            for counter in [&(*head).processes.0, &(*head).threads, &(*head).stacks] {
                counter.store(1, Relaxed);
            }
            (*head).magic.store(MAGIC, Release);
        }
        Self { file, start: start.cast(), rings }
    }

    fn head(&self) -> &Head {
        // SAFETY: mapped as long as the session.
        unsafe { &*self.start.cast() }
    }

    fn ring(&self, index: usize) -> Ring<'_> {
        let place = self.start.wrapping_add(self.head().ring_at(index));
        // SAFETY: inside the mapping.
        unsafe { Ring::at(place, self.head().ring_bytes as usize) }.expect("a ring")
    }

    fn start(&self, command: &[String]) -> Child {
        let path = format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd());
        let (program, arguments) = command.split_first().expect("a program");
        let mut command = Command::new(program);
        command.args(arguments).env("KREF_OPTIONS", "track=1").env("KREF_TRACK_SESSION", path);
        command.spawn().expect("the program")
    }
}

/// What was read.
#[derive(Default)]
struct Seen {
    counts: HashMap<u8, u64>,
    numbers: BTreeSet<u64>,
    next: u64,
    stacks: BTreeSet<u32>,
    unknown_stacks: u64,
    skipped: u64,
    twice: u64,
}

impl Seen {
    fn number(&mut self, number: u64) {
        if number < self.next || !self.numbers.insert(number) {
            self.twice += 1;
        }
        while self.numbers.remove(&self.next) {
            self.next += 1;
        }
    }
}

#[expect(clippy::zombie_processes, reason = "the loop ends when the program has ended")]
fn main() -> ExitCode {
    let options = options();
    let session = Session::new(&options);
    let mut child = session.start(&options.command);
    let mut readers: Vec<_> =
        (0..session.rings).map(|index| (Reader::new(session.ring(index)), None)).collect();
    let (mut seen, mut status, began) = (Seen::default(), None, Instant::now());
    loop {
        let dead = options.die.is_some_and(|after| began.elapsed() > after);
        if !dead {
            session.head().beat.0.fetch_add(1, Relaxed);
        }
        let stalled = began.elapsed() < options.stall;
        let mut idle = true;
        if !dead && !stalled {
            let ended = status.is_some();
            for (reader, since) in &mut readers {
                let mut body = [0; MOST_WORDS];
                while let Some(first) = reader.read(&mut body) {
                    idle = false;
                    *since = None;
                    let body = &body[..usize::from(first.length) - 1];
                    take(&session, &options, &mut seen, first, body);
                }
                if let Next::Unfinished(thread) = reader.next() {
                    let since = since.get_or_insert_with(Instant::now);
                    if since.elapsed() > Duration::from_secs(1) || ended {
                        eprintln!("reader: an unfinished record of thread {thread:?}");
                        seen.skipped += 1;
                        reader.skip();
                        idle = false;
                    }
                }
            }
        }
        if status.is_some() && (idle || dead) {
            break;
        }
        if idle {
            status = child.try_wait().expect("a child");
            std::thread::sleep(Duration::from_micros(100));
        }
    }
    report(&session, &seen);
    let status = status.expect("ended");
    eprintln!("reader: the program ended: {status}");
    ExitCode::from(status.code().unwrap_or(99) as u8)
}

fn report(session: &Session, seen: &Seen) {
    let mut counts: Vec<_> = seen.counts.iter().collect();
    counts.sort();
    for (kind, count) in counts {
        eprintln!("reader: {count} {:?}", Kind::of(*kind).expect("a kind"));
    }
    let (next, head) = (seen.next, session.head());
    let numbers = head.sequence.0.load(Relaxed);
    let (twice, skipped, unknown) = (seen.twice, seen.skipped, seen.unknown_stacks);
    let (dropped, threads) = (head.dropped.load(Relaxed), head.threads.load(Relaxed));
    let missing = numbers - next - seen.numbers.len() as u64;
    eprintln!(
        "reader: {numbers} numbers, {missing} missing, {twice} twice, {skipped} skipped, {unknown} events of unknown \
         stacks, {dropped} dropped, {threads} threads",
    );
}

fn take(session: &Session, options: &Options, seen: &mut Seen, first: First, body: &[u64]) {
    if options.drain && (Kind::Created as u8..Kind::Checkpoint as u8).contains(&first.kind) {
        return;
    }
    *seen.counts.entry(first.kind).or_default() += 1;
    let (Some(kind), process) = (Kind::of(first.kind), first.process) else {
        panic!("impossible: {first:?} {body:x?}");
    };
    let event = kind.is_event().then(|| {
        let mut name = [0; MOST_NAME];
        let (event, length) = Event::read(body, &mut name).expect("an event");
        seen.number(event.sequence);
        if event.stack != 0 && !seen.stacks.contains(&event.stack) {
            seen.unknown_stacks += 1;
        }
        (event, String::from_utf8_lossy(&name[..length]).into_owned())
    });
    match kind {
        Kind::Void if body[0] != NO_NUMBER => seen.number(body[0]),
        Kind::Stack => _ = seen.stacks.insert(body[0] as u32),
        _ => {}
    }
    if !options.quiet {
        match (&event, kind) {
            (Some((event, name)), _) => println!("{process} {kind:?} {event:x?} {name}"),
            (None, Kind::Module) => {
                let mut name = [0; 8 * MOST_WORDS];
                let length = read_name(body[4] as usize, &body[5..], &mut name).expect("a name");
                let name = String::from_utf8_lossy(&name[..length]);
                println!("{process} {kind:?} {:x?} {name}", &body[..4]);
            }
            (None, _) => println!("{process} {kind:?} {body:x?}"),
        }
    }
    if let (Some((event, _)), Kind::Report | Kind::Begun | Kind::Exit | Kind::Crash) = (event, kind)
        && event.detail != 0
    {
        let text = if kind == Kind::Report { &*options.answer } else { "" };
        let desk = &session.head().desks[desk_of(kind)];
        answer(session.head(), desk, session.start.wrapping_add(Head::answer_at()), text);
    }
}

fn answer(head: &Head, desk: &Desk, place: *mut u8, text: &str) {
    if text.is_empty() {
        desk.answered.store(ANSWERED, Release);
    }
    let mut parts = text.as_bytes().chunks(ANSWER).peekable();
    while let Some(part) = parts.next() {
        // SAFETY: the answer has room for a part.
        unsafe { place.copy_from_nonoverlapping(part.as_ptr(), part.len()) };
        head.answer_length.store(part.len() as u32, Relaxed);
        let more = if parts.peek().is_some() { MORE } else { 0 };
        desk.answered.store(ANSWERED | more, Release);
        while more != 0 && desk.answered.load(Acquire) != 0 {
            std::hint::spin_loop();
        }
    }
}
