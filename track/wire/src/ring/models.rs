//! Models of a ring: two writers and the reader.

use std::sync::Arc;
use std::vec::Vec;

use super::{First, Line, Positions, Reader, Ring, Taken, Taking, Writers};
use crate::record::{Kind, MOST_WORDS};
use crate::sync::AtomicU64;

struct Memory {
    positions: Positions,
    words: Vec<AtomicU64>,
}

impl Memory {
    fn new(words: usize) -> Arc<Self> {
        let taking = Taking {
            head: AtomicU64::new(0),
            seen_tail: AtomicU64::new(0),
            owner: AtomicU64::new(0),
        };
        let positions = Positions { taking: Line(taking), tail: Line(AtomicU64::new(0)) };
        Arc::new(Self { positions, words: (0..words).map(|_| AtomicU64::new(0)).collect() })
    }

    fn ring(&self) -> Ring<'_> {
        Ring::of(&self.positions, &self.words).expect("a power of two")
    }
}

/// The reader sees a record's body if it sees its first word.
#[test]
fn a_record_is_whole() {
    loom::model(|| {
        let memory = Memory::new(4);
        let theirs = Arc::clone(&memory);
        let writer = loom::thread::spawn(move || theirs.ring().write(Kind::Got, 1, &[7]));
        let mut reader = Reader::new(memory.ring());
        let mut body = [0; MOST_WORDS];
        if let Some(first) = reader.read(&mut body) {
            assert_eq!(first, First { kind: Kind::Got as u8, length: 2, process: 1 });
            assert_eq!(body[0], 7);
        }
        assert!(writer.join().unwrap());
    });
}

/// A ring's next owner goes on where the last one has let it go.
#[test]
fn a_ring_is_handed_over() {
    loom::model(|| {
        let memory = Memory::new(8);
        let own = |memory: &Memory, thread: u16| {
            let ring = memory.ring();
            if !ring.claim(1, thread.into()) {
                return false;
            }
            let taken = ring.take(2, thread, Writers::One, |_| true);
            let Taken::At(position) = taken else { panic!("{taken:?}") };
            ring.fill(position, 0, thread.into());
            ring.finish(position, First { kind: Kind::Got as u8, length: 2, process: thread });
            ring.let_go(1, Some(thread.into()));
            true
        };
        let theirs = Arc::clone(&memory);
        let other = loom::thread::spawn(move || own(&theirs, 1));
        let written = usize::from(own(&memory, 2)) + usize::from(other.join().unwrap());
        let mut reader = Reader::new(memory.ring());
        let mut body = [0; MOST_WORDS];
        let mut read = 0;
        while let Some(record) = reader.read(&mut body) {
            assert_eq!(u64::from(record.process), body[0]);
            read += 1;
        }
        assert_eq!(read, written);
    });
}

/// Writers take words again that the reader has given back, and not before.
#[test]
fn words_are_used_again() {
    loom::model(|| {
        let memory = Memory::new(2);
        assert!(memory.ring().write(Kind::Got, 1, &[1]));
        let writers: Vec<_> = [2, 3]
            .map(|number| {
                let theirs = Arc::clone(&memory);
                loom::thread::spawn(move || {
                    theirs.ring().write(Kind::Got, number, &[number.into()])
                })
            })
            .into();
        let mut reader = Reader::new(memory.ring());
        let mut body = [0; MOST_WORDS];
        let first = reader.read(&mut body).expect("the first record");
        assert_eq!((first.process, body[0]), (1, 1));
        let mut read = 0;
        if let Some(second) = reader.read(&mut body) {
            assert_eq!(u64::from(second.process), body[0]);
            read += 1;
        }
        let written =
            writers.into_iter().filter_map(|writer| writer.join().ok()).filter(|done| *done);
        let written = written.count();
        while let Some(record) = reader.read(&mut body) {
            assert_eq!(u64::from(record.process), body[0]);
            read += 1;
        }
        assert_eq!(read, written);
    });
}
