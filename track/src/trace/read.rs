//! Reads traces.
//!
//! A trace is read twice: at first what was written too late for the reports that need it, as the names of functions.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use wire::record::{MOST_WORDS, read_name};
use wire::ring::First;

use super::{ENDED, FRAME, FRAME_WORDS, MAGIC, MOST_BUILD_ID, MOST_TEXT, OPENED, SHARED, VERSION};
use crate::clock::Time;
use crate::judge::Judge;
use crate::options::Options;
use crate::output::Output;
use crate::report::End;
use crate::symbols::Frame;
use crate::world::World;

/// Makes the reports of a trace, on standard output.
pub fn report(path: &Path, options: Options) -> Result<(), String> {
    // If only the holders of one object are asked for, there is nothing else to say.
    let output = if options.address.is_some() { Output::Nowhere } else { Output::Out };
    let judge = judge(path, World::new(options, output))?;
    judge.world.documents.write_all(&judge.world);
    Ok(())
}

/// Reads a trace to its end.
pub fn judge(path: &Path, world: World) -> Result<Judge, String> {
    let say = |error: io::Error| format!("{}: {error}", path.display());
    let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(say)?);
    let mut header = [0; 3];
    match words(&mut file, &mut header) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => header = [0; 3], // no trace
        read => read.map_err(say)?,
    }
    let [magic, version, seconds] = header;
    if magic != u64::from_le_bytes(MAGIC) || version != VERSION {
        return Err(format!("{}: not a trace that this version reads", path.display()));
    }
    let written = UNIX_EPOCH + Duration::from_secs(seconds.min(u64::from(u32::MAX)));
    let mut judge = Judge::of_trace(world, written);
    let start = file.stream_position().map_err(say)?;
    each_record(&mut file, |kind, process, body| foresee(&mut judge, kind, process, body));
    file.seek(io::SeekFrom::Start(start)).map_err(say)?;
    each_record(&mut file, |kind, process, body| take(&mut judge, kind, process, body));
    finish(&mut judge);
    Ok(judge)
}

/// Shows all records, as far as they are there.
fn each_record(file: &mut impl Read, mut look: impl FnMut(u8, u16, &[u64])) {
    let mut body = [0; MOST_WORDS];
    let mut first = [0];
    while words(file, &mut first).is_ok() {
        let (kind, length) = (first[0] as u8, usize::from((first[0] >> 8) as u8));
        let process = (first[0] >> 16) as u16;
        let Some(body) = body.get_mut(..length) else { return };
        if words(file, body).is_err() {
            return;
        }
        look(kind, process, body);
    }
}

/// What the reports need before it is written.
fn foresee(judge: &mut Judge, kind: u8, process: u16, body: &[u64]) {
    match (kind, body) {
        (FRAME, _) => _ = frame(judge, body),
        (SHARED, &[start, end]) => judge.shared.push((process, (start, end))),
        _ => {}
    }
}

fn frame(judge: &Judge, body: &[u64]) -> Option<()> {
    let &[place, offset, lengths, into, identity] = body.first_chunk::<FRAME_WORDS>()?;
    let mut text = [0; MOST_TEXT];
    let (function, file) =
        (usize::from((lengths >> 32) as u16), usize::from((lengths >> 48) as u16));
    let names = &judge.world.code.names;
    let length = read_name(function, &body[FRAME_WORDS..], &mut text)?;
    let function_name = names.kept(&text[..length]);
    let length = read_name(file, &body[FRAME_WORDS + function.div_ceil(8)..], &mut text)?;
    let file = names.kept(&text[..length]);
    let line = lengths as u32;
    let (function, module, is_tail) = (function_name, "", false);
    let frame = Frame { function, file, line, module, offset, into, is_tail, identity };
    judge.world.code.foretell(place as u32, (place >> 32) as usize, frame);
    Some(())
}

fn take(judge: &mut Judge, kind: u8, process: u16, body: &[u64]) {
    match kind {
        OPENED => judge.build_id = build_id(body),
        ENDED => {
            judge.give_up(true);
            end(judge, process, body);
        }
        _ => {
            let length = 1 + body.len() as u8;
            judge.take(First { kind, length, process }, body, u64::MAX);
            judge.work();
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
