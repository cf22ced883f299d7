use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Writer, read::judge};
use crate::code::Code;
use crate::debug::Places;
use crate::maps;
use crate::modules::Module;
use crate::options::Options;
use crate::output::Output;
use crate::process::Mapped;
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
    writer.ended(1, End::Signal(9), 2000, &Code::new(PathBuf::new(), Places::new(None)));
}

#[test]
fn a_trace_is_read_as_it_was_written() {
    let path = file("kref-track-trace");
    write(&path);
    let text = told(&path).expect("a trace");
    assert!(text.contains("session: 1 reference") && text.contains("taken 2.0 s ago"), "{text}");
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

/// The functions are in the trace: it may be read on a machine that has no file of the program.
#[test]
fn a_trace_without_the_files() {
    let (path, copy) = (file("kref-track-far"), file("kref-track-copy"));
    std::fs::copy("/proc/self/exe", &copy).expect("room for a copy");
    let function = a_trace_without_the_files as *const () as u64;
    let offset = function + 2 - maps::of_this_program().0;

    let code = Code::new(std::env::current_dir().expect("a directory"), Places::new(None));
    let bytes = copy.as_os_str().as_encoded_bytes();
    let module = Module::of_trace(bytes, None, SystemTime::now(), &code.names);
    let module = code.module(module);
    let mut writer = Writer::create(path.to_str().expect("UTF-8")).expect("a file");
    let first = |kind: Kind| First { kind: kind as u8, length: 0, process: 1 };
    writer.write(first(Kind::Process), &[0, 0, 0, 4711, 0, 0]);
    let start = 0x10_0000;
    writer.mapped(1, &Mapped { start, end: u64::MAX, bias: start, module });
    writer.write(first(Kind::Stack), &[1, 1, start + offset, 0x7000]);
    let mut body = [0; MOST_EVENT_WORDS];
    let event = Event { sequence: 1, stack: 1, object: 0x5000, thread: 1, ..Event::default() };
    let words = event.write(b"session", &mut body);
    writer.write(first(Kind::Created), &body[..words]);
    code.place(Some(module), offset - 1);
    writer.ended(1, End::Left(None), 2000, &code);
    drop(writer);

    std::fs::remove_file(copy).expect("our file");
    let text = told(&path).expect("a trace");
    let name = "a_trace_without_the_files";
    assert!(text.contains(name) && text.contains("src/trace/tests.rs:"), "{text}");
    std::fs::remove_file(path).expect("our file");
}

/// Objects in memory that processes share are left alone, also in what was reported before the trace says so.
#[test]
fn shared_memory() {
    let path = file("kref-track-shared");
    let mut writer = Writer::create(path.to_str().expect("UTF-8")).expect("a file");
    let first = |kind: Kind| First { kind: kind as u8, length: 0, process: 1 };
    writer.write(first(Kind::Process), &[0, 0, 0, 4711, 0, 0]);
    for (sequence, object) in [(1, 0x5000), (2, 0x5000), (3, 0x9000)] {
        let mut body = [0; MOST_EVENT_WORDS];
        let event = Event { sequence, object, thread: 1, ..Event::default() };
        let words = event.write(b"session", &mut body);
        writer.write(first(Kind::Created), &body[..words]);
    }
    writer.shared(1, &[(0x5000, 0x6000)]);
    writer.ended(1, End::Left(None), 2000, &Code::new(PathBuf::new(), Places::new(None)));
    drop(writer);
    let text = told(&path).expect("a trace");
    assert!(text.starts_with("kref-track: 1 reference on 1 object"), "{text}");
    assert!(text.contains("1 object not judged"), "{text}");
    std::fs::remove_file(path).expect("our file");
}
