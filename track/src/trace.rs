//! Traces: a file with all records of a session, from which `kref-track report` makes the reports later.
//!
//! ```text
//!  "kref-trc", version and zero, seconds since 1970 at the start: a word each
//!  records: a first word, and then its body
//! ```
//!
//! All words are little-endian. A first word has the kind in its lowest byte, then the number of words of the body
//! in a byte, then the process in two. The kinds are those of the rings, and two more:
//!
//! * [`OPENED`]: the build-id of the file that the next Module record names: its length, its bytes.
//! * [`ENDED`]: the process has ended: how (0 exit, 1 without exit, 2 signal, 3 exec), and the status or the signal, and the
//!   time in milliseconds of CLOCK_MONOTONIC.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wire::record::{Kind, MOST_WORDS, read_name, write_name};
use wire::ring::First;

use crate::clock::Time;
use crate::judge::Judge;
use crate::options::Options;
use crate::output::Output;
use crate::process::Mapped;
use crate::report::End;
use crate::world::World;

const MAGIC: [u8; 8] = *b"kref-trc";
const VERSION: u64 = 1;
/// A build-id.
pub const OPENED: u8 = 0x81;
/// The end of a process.
pub const ENDED: u8 = 0x82;
const MOST_BUILD_ID: usize = 64;

/// Writes a trace. What cannot be written is said once.
pub struct Writer {
    file: Option<BufWriter<File>>,
}

impl Writer {
    /// A new file.
    pub fn create(path: &str) -> io::Result<Self> {
        let mut writer =
            Self { file: Some(BufWriter::with_capacity(1 << 16, File::create(path)?)) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        writer.words(&[u64::from_le_bytes(MAGIC), VERSION, now]);
        Ok(writer)
    }

    /// A record.
    pub fn write(&mut self, first: First, body: &[u64]) {
        self.record(first.kind, first.process, body);
    }

    fn record(&mut self, kind: u8, process: u16, body: &[u64]) {
        let first = u64::from(kind) | (body.len() as u64) << 8 | u64::from(process) << 16;
        self.words(&[first]);
        self.words(body);
    }

    /// A file that a process has mapped, as the judge knows it: a recorder does not know each path.
    pub fn mapped(&mut self, process: u16, mapped: &Mapped) {
        let id = mapped.module.build_id.as_deref().unwrap_or_default();
        let id = &id[..id.len().min(MOST_BUILD_ID)];
        let mut body = [0; MOST_WORDS];
        body[0] = id.len() as u64;
        let words = write_name(id, &mut body[1..]);
        self.record(OPENED, 0, &body[..1 + words]);
        let path = mapped.module.path.as_os_str().as_encoded_bytes();
        let path = &path[..path.len().min(8 * (MOST_WORDS - 5))];
        let number = 0; // no record names it
        body[..5].copy_from_slice(&[
            number,
            mapped.start,
            mapped.end,
            mapped.bias,
            path.len() as u64,
        ]);
        let words = write_name(path, &mut body[5..]);
        self.record(Kind::Module as u8, process, &body[..5 + words]);
    }

    /// A process has ended.
    pub fn ended(&mut self, process: u16, end: End, now: Time) {
        let (how, value) = match end {
            End::Exit => (0, 0),
            End::Left(status) => (1, status.map_or(u64::MAX, |status| status as u64)),
            End::Signal(signal) => (2, signal as u64),
            End::Executed => (3, 0),
        };
        self.record(ENDED, process, &[how, value, now.into()]);
        self.flush();
    }

    /// Everything is in the file.
    pub fn flush(&mut self) {
        let flushed = self.file.as_mut().map_or(Ok(()), BufWriter::flush);
        self.check(flushed);
    }

    fn words(&mut self, words: &[u64]) {
        let Some(file) = &mut self.file else { return };
        let written = words.iter().try_for_each(|word| file.write_all(&word.to_le_bytes()));
        self.check(written);
    }

    fn check(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            eprintln!("kref-track: the trace is not complete: {error}");
            self.file = None;
        }
    }
}

/// Makes the reports of a trace, on standard output.
pub fn report(path: &Path, options: Options) -> Result<(), String> {
    judge(path, World::new(options, Output::Out)).map(drop)
}

/// Reads a trace to its end.
pub fn judge(path: &Path, world: World) -> Result<Judge, String> {
    let say = |error: io::Error| format!("{}: {error}", path.display());
    let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(say)?);
    let mut header = [0; 3];
    // A shorter file is no trace, either.
    if let Err(error) = words(&mut file, &mut header)
        && error.kind() != io::ErrorKind::UnexpectedEof
    {
        return Err(say(error));
    }
    let [magic, version, seconds] = header;
    if magic != u64::from_le_bytes(MAGIC) || version != VERSION {
        return Err(format!("{}: not a trace that this version reads", path.display()));
    }
    let written = UNIX_EPOCH + Duration::from_secs(seconds.min(u64::from(u32::MAX)));
    let mut judge = Judge::of_trace(world, written);
    read(&mut file, &mut judge);
    finish(&mut judge);
    Ok(judge)
}

/// Gives all records to the judge, as far as they are there.
fn read(file: &mut impl Read, judge: &mut Judge) {
    let mut body = [0; MOST_WORDS];
    let mut first = [0];
    while words(file, &mut first).is_ok() {
        let (kind, length) = (first[0] as u8, usize::from((first[0] >> 8) as u8));
        let process = (first[0] >> 16) as u16;
        let Some(body) = body.get_mut(..length) else { return };
        if words(file, body).is_err() {
            return;
        }
        match kind {
            OPENED => judge.build_id = build_id(body),
            ENDED => {
                judge.give_up(true);
                end(judge, process, body);
            }
            _ => {
                judge.take(First { kind, length: 1 + length as u8, process }, body, u64::MAX);
                judge.work();
            }
        }
    }
}

fn build_id(body: &[u64]) -> Option<Vec<u8>> {
    let mut id = [0; MOST_BUILD_ID];
    let length = usize::try_from(*body.first()?).ok()?;
    let length = read_name(length, &body[1..], &mut id)?;
    (length > 0).then(|| id[..length].to_vec())
}

fn end(judge: &mut Judge, process: u16, body: &[u64]) {
    let [kind, value, now] = *body else { return };
    judge.world.now.set(now as Time);
    let value = i32::try_from(value).ok();
    let end = match (kind, value) {
        (0, _) => End::Exit,
        (2, Some(signal)) => End::Signal(signal),
        (3, _) => End::Executed,
        _ => End::Left(value),
    };
    judge.end(process, end);
}

/// The trace is over before the processes are: what they held then.
fn finish(judge: &mut Judge) {
    judge.give_up(true);
    let left: Vec<_> =
        judge.processes.all().filter(|process| !process.is_over).map(|it| it.number).collect();
    for process in left {
        judge.end(process, End::Left(None));
    }
}

fn words(file: &mut impl Read, words: &mut [u64]) -> io::Result<()> {
    let mut bytes = [0; 8];
    for word in words {
        file.read_exact(&mut bytes)?;
        *word = u64::from_le_bytes(bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::path::{Path, PathBuf};

    use super::{Writer, judge};
    use crate::options::Options;
    use crate::output::Output;
    use crate::report::End;
    use crate::world::World;
    use wire::record::{Event, Kind, MOST_EVENT_WORDS};
    use wire::ring::First;

    fn file(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("{name}.{}", std::process::id()))
    }

    fn told(path: &Path) -> Result<String, String> {
        let options = Options::parse("").expect("no options");
        let judge = judge(path, World::new(options, Output::Text(RefCell::default())))?;
        match &judge.world.output {
            Output::Text(text) => Ok(text.take()),
            _ => unreachable!("a test's output is a text"),
        }
    }

    fn write(path: &Path) {
        let mut writer = Writer::create(path.to_str().expect("UTF-8")).expect("a file");
        let first = |kind: Kind| First { kind: kind as u8, length: 0, process: 1 };
        writer.write(first(Kind::Process), &[0, 0, 0, 4711, 0, 0]);
        let mut body = [0; MOST_EVENT_WORDS];
        let event = Event { sequence: 1, object: 0x5000, thread: 1, ..Event::default() };
        let words = event.write(b"session", &mut body);
        writer.write(first(Kind::Created), &body[..words]);
        writer.ended(1, End::Signal(9), 2000);
    }

    #[test]
    fn a_trace_is_read_as_it_was_written() {
        let path = file("kref-track-trace");
        write(&path);
        let text = told(&path).expect("a trace");
        assert!(
            text.contains("session: 1 reference") && text.contains("taken 2.0 s ago"),
            "{text}"
        );
        assert!(text.contains("process 4711 was ended by SIGKILL"), "{text}");
        std::fs::remove_file(path).expect("our file");
    }

    /// Each beginning of a trace, and a trace with each byte wrong, is read without a crash.
    #[test]
    fn damaged_traces() {
        let path = file("kref-track-damaged");
        write(&path);
        let whole = std::fs::read(&path).expect("the trace");
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).expect("our file");
            assert_eq!(told(&path).is_err(), length < 24);
        }
        for place in 24..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] = !damaged[place];
            std::fs::write(&path, damaged).expect("our file");
            told(&path).expect("the header is right");
        }
        std::fs::remove_file(path).expect("our file");
    }
}
