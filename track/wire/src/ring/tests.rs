use std::boxed::Box;
use std::cell::UnsafeCell;
use std::vec::Vec;

use super::{First, Next, Positions, Reader, Ring, Taken, UNFINISHED, Writers};
use crate::record::{Kind, MOST_WORDS};

/// Memory for a ring of this number of words.
struct Memory(Box<[Line]>);

#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "rings access it")] UnsafeCell<[u8; 64]>);

impl Memory {
    fn new(words: usize) -> Self {
        let lines = words / 8 + size_of::<Positions>() / 64;
        Self((0..lines).map(|_| Line(UnsafeCell::new([0; 64]))).collect())
    }

    fn ring(&self) -> Ring<'_> {
        let bytes = self.0.len() * 64;
        // SAFETY: zeros, which only rings access.
        unsafe { Ring::at(self.0.as_ptr().cast_mut().cast(), bytes) }.expect("large enough")
    }
}

const SMALL: usize = 256;

fn read(reader: &mut Reader<'_>) -> Option<(u8, u16, Vec<u64>)> {
    let mut body = [0; MOST_WORDS];
    let first = reader.read(&mut body)?;
    Some((first.kind, first.process, body[..usize::from(first.length) - 1].to_vec()))
}

#[test]
fn records_come_in_their_order() {
    let memory = Memory::new(SMALL);
    let (ring, mut reader) = (memory.ring(), Reader::new(memory.ring()));
    assert_eq!((reader.next(), read(&mut reader)), (Next::Nothing, None));
    assert!(ring.write(Kind::Got, 3, &[7, 8]) && ring.write(Kind::Exit, 4, &[]));
    assert_eq!(reader.next(), Next::Record);
    assert_eq!(read(&mut reader), Some((Kind::Got as u8, 3, [7, 8].to_vec())));
    assert_eq!(read(&mut reader), Some((Kind::Exit as u8, 4, [].to_vec())));
    assert_eq!((reader.next(), read(&mut reader)), (Next::Nothing, None));
}

#[test]
fn memory_that_is_too_small_is_no_ring() {
    let memory = Memory::new(SMALL);
    // SAFETY: zeros.
    let ring = |bytes| unsafe { Ring::at(memory.0.as_ptr().cast_mut().cast(), bytes) };
    assert!(ring(0).is_none() && ring(size_of::<Positions>()).is_none());
    assert!(ring(size_of::<Positions>() + 8 * 128).is_none());
    assert_eq!(ring(size_of::<Positions>() + 8 * 256 + 8 * 100).expect("a ring").words.len(), 256);
}

#[test]
fn a_full_ring_refuses_until_it_was_read() {
    let memory = Memory::new(SMALL);
    let (ring, mut reader) = (memory.ring(), Reader::new(memory.ring()));
    for round in 0..1000 {
        let written = (0..).take_while(|n| ring.write(Kind::Got, 1, &[round, *n, 0, 0])).count();
        // The first word and four more.
        assert_eq!(written, SMALL / 5, "round {round}");
        assert!(!ring.has_room(5) && ring.has_room((SMALL % 5) as u8));
        for n in 0..written as u64 {
            let body = [round, n, 0, 0].to_vec();
            assert_eq!(read(&mut reader), Some((Kind::Got as u8, 1, body)));
        }
        assert_eq!(read(&mut reader), None);
    }
}

#[test]
fn a_second_reader_goes_on_where_the_first_has_given_back() {
    let memory = Memory::new(SMALL);
    let ring = memory.ring();
    assert!(ring.write(Kind::Got, 1, &[1]) && ring.write(Kind::Got, 1, &[2]));
    let mut first = Reader::new(ring);
    assert!(read(&mut first).is_some() && read(&mut first).is_some() && read(&mut first).is_none());
    assert!(ring.write(Kind::Got, 1, &[3]));
    assert_eq!(read(&mut Reader::new(ring)), Some((Kind::Got as u8, 1, [3].to_vec())));
}

#[test]
fn an_unfinished_record_stops_the_reader_until_it_is_finished() {
    let memory = Memory::new(SMALL);
    let (ring, mut reader) = (memory.ring(), Reader::new(memory.ring()));
    let mut tried = Vec::new();
    let taken = ring.take(3, 9, Writers::All, |position| {
        tried.push(position);
        true
    });
    let Taken::At(position) = taken else { panic!("room") };
    assert_eq!(tried, [position]);
    assert_eq!(reader.next(), Next::Unfinished(None));
    ring.mark(position, 3, 9);
    assert!(ring.write(Kind::Got, 1, &[1]));
    assert_eq!((reader.next(), read(&mut reader)), (Next::Unfinished(Some(9)), None));
    ring.fill(position, 0, 5);
    ring.fill(position, 1, 6);
    ring.finish(position, First { kind: Kind::Done as u8, length: 3, process: 2 });
    assert_eq!(read(&mut reader), Some((Kind::Done as u8, 2, [5, 6].to_vec())));
    assert_eq!(read(&mut reader), Some((Kind::Got as u8, 1, [1].to_vec())));
}

/// Takes words.
fn taken(ring: Ring<'_>, length: u8, thread: u16) -> u64 {
    let Taken::At(position) = ring.take(length, thread, Writers::All, |_| true) else {
        panic!("room")
    };
    position
}

/// Takes words and marks them.
fn take(ring: Ring<'_>) -> u64 {
    let position = taken(ring, 6, 9);
    ring.mark(position, 6, 9);
    position
}

#[test]
fn a_record_whose_writer_died_is_skipped() {
    let memory = Memory::new(SMALL);
    let (ring, mut reader) = (memory.ring(), Reader::new(memory.ring()));
    // Several laps, so that the words have had records before.
    for _ in 0..100 {
        take(ring);
        assert!(ring.write(Kind::Got, 1, &[1]));
        reader.skip();
        assert_eq!(read(&mut reader), Some((Kind::Got as u8, 1, [1].to_vec())));
        take(ring);
        reader.skip();
        assert_eq!((reader.next(), read(&mut reader)), (Next::Nothing, None));
    }
}

/// The writer died between the exchange and the first word.
#[test]
fn words_without_a_first_word_are_skipped() {
    let memory = Memory::new(SMALL);
    let (ring, mut reader) = (memory.ring(), Reader::new(memory.ring()));
    for _ in 0..100 {
        taken(ring, 6, 9);
        assert!(ring.write(Kind::Got, 1, &[1]));
        assert_eq!(reader.next(), Next::Unfinished(None));
        reader.skip();
        assert_eq!(read(&mut reader), Some((Kind::Got as u8, 1, [1].to_vec())));
        taken(ring, 6, 9);
        reader.skip();
        assert_eq!((reader.next(), read(&mut reader)), (Next::Nothing, None));
    }
}

/// The body of a record may have any words, also one that would be a record's first word in the ring's next lap.
#[test]
fn a_word_of_a_body_is_no_record_of_the_next_lap() {
    let memory = Memory::new(SMALL);
    let (ring, mut reader) = (memory.ring(), Reader::new(memory.ring()));
    let words = ring.words.len() as u64;
    for is_finished in [true, false] {
        let start = reader.position();
        // Of a body of 5 words, the third one.
        let place = start + 3 + words;
        let first = First { kind: Kind::Got as u8, length: 2, process: 1 };
        let position = taken(ring, 6, 9);
        ring.mark(position, 6, 9);
        ring.fill(position, 2, first.word(place));
        if is_finished {
            ring.finish(position, First { kind: Kind::Got as u8, length: 6, process: 1 });
            assert!(read(&mut reader).is_some());
        } else {
            reader.skip();
        }
        while reader.position() < place {
            assert!(ring.write(Kind::Void, 1, &[]) && read(&mut reader).is_some());
        }
        assert_eq!((reader.next(), read(&mut reader)), (Next::Nothing, None));
        taken(ring, 2, 9);
        assert_eq!(reader.next(), Next::Unfinished(None));
        reader.skip();
    }
}

#[test]
fn a_thread_knows_what_it_has_taken() {
    let memory = Memory::new(SMALL);
    let ring = memory.ring();
    let position = taken(ring, 4, 9);
    assert!(ring.has_taken(position, 4, 9));
    assert!(!ring.has_taken(position, 4, 8) && !ring.has_taken(position + 4, 4, 9));
    assert!(!ring.is_unfinished(position, 4, 9));
    ring.mark(position, 4, 9);
    let later = taken(ring, 4, 8);
    // By the unfinished record, since the head is the other thread's.
    assert!(ring.has_taken(position, 4, 9) && !ring.has_taken(later, 4, 9));
    assert!(ring.is_unfinished(position, 4, 9) && !ring.is_unfinished(position, 4, 8));
    ring.word(position).store(0, super::Relaxed);
    assert!(!ring.has_taken(position, 4, 9) && !ring.is_unfinished(position, 4, 9));
}

#[test]
fn a_ring_belongs_to_one_thread_until_the_thread_or_its_process_ends() {
    let memory = Memory::new(SMALL);
    let ring = memory.ring();
    assert!(ring.claim(1, 9) && !ring.claim(1, 10) && !ring.claim(2, 9));
    ring.let_go(1, Some(10));
    ring.let_go(2, None);
    assert!(!ring.claim(1, 10));
    ring.let_go(1, Some(9));
    assert!(ring.claim(2, 9));
    ring.let_go(2, None);
    assert!(ring.claim(1, 9));
}

/// A signal handler of the thread may take words between its load of the head and its exchange.
#[test]
fn the_one_thread_of_a_ring_takes_nothing_if_a_handler_has() {
    let memory = Memory::new(SMALL);
    let ring = memory.ring();
    assert_eq!(ring.take(6, 9, Writers::One, |_| false), Taken::Nothing);
    assert_eq!(ring.take(6, 9, Writers::One, |_| true), Taken::At(0));
    let handler = |_| ring.take(5, 9, Writers::One, |_| true) == Taken::At(6);
    assert_eq!(ring.take(4, 9, Writers::One, handler), Taken::Nothing);
    assert_eq!(ring.take(4, 9, Writers::One, |_| true), Taken::At(11));
    let too_long = |ring: Ring<'_>| ring.take(200, 9, Writers::One, |_| true);
    assert_eq!((too_long(ring), too_long(ring)), (Taken::At(15), Taken::NoRoom));
}

#[test]
fn words_are_open_until_they_are_a_record() {
    let memory = Memory::new(SMALL);
    let (ring, mut reader) = (memory.ring(), Reader::new(memory.ring()));
    for lap in 0..100 {
        let position = taken(ring, 6, 9);
        assert!(ring.is_open(position, 6, 9), "{lap}");
        ring.mark(position, 6, 9);
        assert!(ring.is_open(position, 6, 9) && !ring.is_open(position, 6, 8));
        ring.finish(position, First { kind: Kind::Void as u8, length: 6, process: 1 });
        assert!(!ring.is_open(position, 6, 9));
        assert!(read(&mut reader).is_some() && read(&mut reader).is_none());
        ring.word(position).store(0, super::Relaxed);
        assert!(!ring.is_open(position, 6, 9));
    }
}

#[test]
fn what_the_program_has_overwritten_is_no_record() {
    for (kind, length) in [(0, 1), (1, 0), (1, MOST_WORDS + 2), (UNFINISHED, 255)] {
        let first = First { kind, length: length as u8, process: 1 };
        assert_eq!(First::of(first.word(0), 0), None, "{first:?}");
    }
    let memory = Memory::new(SMALL);
    let (ring, mut reader) = (memory.ring(), Reader::new(memory.ring()));
    ring.positions.taking.0.head.store(u64::MAX, super::Relaxed);
    reader.skip();
    assert_eq!(read(&mut reader), None);
}

#[test]
fn threads_write_and_each_ones_records_stay_in_order() {
    const WRITERS: u64 = 4;
    const RECORDS: u64 = if cfg!(miri) { 50 } else { 20_000 };
    let memory = Memory::new(SMALL);
    let ring = memory.ring();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                for n in 0..RECORDS {
                    let body = [writer, n, !n, n, !n, n, !n];
                    let body = &body[..3 + (n % 5) as usize];
                    while !ring.write(Kind::Got, writer as u16, body) {
                        std::thread::yield_now();
                    }
                }
            });
        }
        let mut reader = Reader::new(ring);
        let mut next = [0; WRITERS as usize];
        while next.iter().sum::<u64>() < WRITERS * RECORDS {
            let Some((_, process, body)) = read(&mut reader) else {
                std::thread::yield_now();
                continue;
            };
            let n = next[usize::from(process)];
            let expected = [u64::from(process), n, !n, n, !n, n, !n];
            assert_eq!(body, expected[..3 + (n % 5) as usize]);
            next[usize::from(process)] += 1;
        }
        assert_eq!(reader.next(), Next::Nothing);
    });
}
