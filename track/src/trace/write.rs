//! Writes traces.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use wire::record::{Kind, MOST_WORDS, write_name};
use wire::ring::First;

use super::{ENDED, FRAME, FRAME_WORDS, MAGIC, MOST_BUILD_ID, MOST_TEXT, OPENED, SHARED, VERSION};
use crate::clock::Time;
use crate::code::Code;
use crate::process::Mapped;
use crate::report::End;
use crate::symbols::Frame;

/// Writes a trace. What cannot be written is said once.
pub struct Writer {
    file: Option<BufWriter<File>>,
    /// The places whose functions are in the file.
    places: usize,
}

impl Writer {
    /// A new file.
    pub fn create(path: &str) -> io::Result<Self> {
        let mut writer =
            Self { file: Some(BufWriter::with_capacity(1 << 16, File::create(path)?)), places: 0 };
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
        body[..5].copy_from_slice(&[
            mapped.module.number.get().into(),
            mapped.start,
            mapped.end,
            mapped.bias,
            path.len() as u64,
        ]);
        let words = write_name(path, &mut body[5..]);
        self.record(Kind::Module as u8, process, &body[..5 + words]);
    }

    /// Memory that a process shares with others.
    pub fn shared(&mut self, process: u16, ranges: &[(u64, u64)]) {
        for &(start, end) in ranges {
            self.record(SHARED, process, &[start, end]);
        }
    }

    /// A process has ended.
    pub fn ended(&mut self, process: u16, end: End, now: Time, code: &Code) {
        self.frames(code);
        let (how, value) = match end {
            End::Exit => (0, 0),
            End::Left(status) => (1, status.map_or(u64::MAX, |status| status as u64)),
            End::Signal(signal) => (2, signal as u64),
            End::Executed => (3, 0),
        };
        self.record(ENDED, process, &[how, value, now.into()]);
        self.flush();
    }

    /// The functions at the places that were met since the last call: the trace may be read where the files are not.
    fn frames(&mut self, code: &Code) {
        let (new, count) = code.places_since(self.places);
        self.places = count;
        for (module, offset, frames) in new {
            for (index, frame) in frames.iter().enumerate().take(MOST_FRAMES) {
                self.frame(module, offset, index as u64, frame);
            }
        }
    }

    fn frame(&mut self, module: u32, offset: u64, index: u64, frame: &Frame) {
        let (function, file) = (cut(frame.function), cut(frame.file));
        let lengths = (function.len() as u64) << 32 | (file.len() as u64) << 48;
        let mut body = [0; MOST_WORDS];
        body[..FRAME_WORDS].copy_from_slice(&[
            u64::from(module) | index << 32,
            offset,
            u64::from(frame.line) | lengths,
            frame.into,
            frame.identity,
        ]);
        let mut end = FRAME_WORDS;
        end += write_name(function, &mut body[end..]);
        end += write_name(file, &mut body[end..]);
        self.record(FRAME, 0, &body[..end]);
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

/// More functions that were inlined at one place are not in the trace.
const MOST_FRAMES: usize = 256;

fn cut(text: &str) -> &[u8] {
    &text.as_bytes()[..text.len().min(MOST_TEXT)]
}
