//! What a record says.
//!
//! A record is a first word ([`First`](crate::ring::First)) and a body. The body of an event is:
//!
//! | word | what |
//! |---|---|
//! | 0 | the event's number in the session |
//! | 1 | the time, nanoseconds of CLOCK_MONOTONIC_COARSE |
//! | 2 | the thread (low half) and the stack (high half) |
//! | 3 | the address of the object's count |
//! | 4 | the count (low half) and the number of bytes of the name (high half) |
//! | 5 | the release function, the kind of a violation, or the number of a request |
//! | 6 | the name of the holder or of the type: its bytes, copied, eight in a word |
//!
//! The bodies of the other kinds are described where the kinds are.

/// The most words of a record's body. A stack of the most frames is the longest record.
pub const MOST_WORDS: usize = 2 + 2 * MOST_FRAMES;
/// The most frames of a stack: 64 of the program's and libkref's own.
pub const MOST_FRAMES: usize = 72;
/// The most bytes of a name that are kept.
pub const MOST_NAME: usize = 128;

/// The number of a [`Kind::Void`] that had not taken any.
pub const NO_NUMBER: u64 = u64::MAX;

/// The kinds of records.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file that is mapped: number, first address, end, load bias, and then the file's name as in an event's
    /// name: its length, its bytes. The judge opens the file when it reads this record.
    Module = 1,
    /// A stack: number; number of frames; and for each frame its return address, and the address of the frame
    /// (the CFA).
    Stack = 2,
    /// Nothing: its writer has given the record up. Word 0 is the event's number that it had taken, or
    /// [`NO_NUMBER`].
    Void = 3,
    /// Numbers of events that may be lost, because a signal handler jumped out of the recorder: the first, and
    /// the one behind the last. Other threads have taken most of them.
    Lost = 4,
    /// A process begins, or executes another program, or is a fork's child: the kernel's number in the place of the
    /// address, the number of the process that forked it or 0 in that of the count, and the fork's number or 0. It is
    /// an event, so that it comes before all others of the process.
    Process = 5,
    /// A thread's first event: the kernel's number of it in the place of the count.
    Thread = 6,
    /// kref_init(): the name of the type.
    Created = 7,
    /// A get: the count after it, and the holder's name.
    Got = 8,
    /// A put is about to happen: the count before it, the release function, the holder's name.
    Putting = 9,
    /// That was the last reference: the release function.
    Released = 10,
    /// A put and its release function are over.
    Done = 11,
    /// A violation: its kind.
    Violated = 12,
    /// kref_track_checkpoint().
    Checkpoint = 13,
    /// A report is asked for: the request's number. The recorder waits for the answer, unless that number is 0:
    /// then a signal asked, and the report goes to the judge's log.
    Report = 14,
    /// The process exits. A request, as for a report: the recorder waits, so that the judge can read memory.
    Exit = 15,
    /// A fatal signal: its number in the place of the count, the address in that of the object. A request.
    Crash = 16,
    /// A program begins. A request: the judge opens the files that are mapped, since the program may be over soon.
    Begun = 17,
    /// A lookup by handle found no object: whether its pool has given the handle, in the place of the count. The
    /// address is the pool's.
    Missed = 18,
    /// A process is about to fork: the fork's number among those of the process.
    Forking = 19,
    /// Something happens to a percpu_ref: its release function; and in the place of the count, a number of
    /// [`percpu`].
    Percpu = 20,
    /// free() of memory with a count in it that is referenced.
    Freed = 21,
    /// realloc() moves memory with a count in it that is referenced: its new address in the place of the detail.
    Moved = 22,
    /// A write into the memory of a released object, after its free(): the address of the write in the place of the
    /// detail. It may have happened long ago, by any thread.
    Written = 23,
    /// kref_balance_begin(), with the name of the type.
    Begins = 24,
    /// kref_balance_end(). A request: the answer is the number of references that were left behind.
    Ends = 25,
}

/// What a [`Kind::Percpu`] says: the numbers of enum kref_percpu_event. The gets and puts of a percpu_ref are
/// recorded as those of a kref.
pub mod percpu {
    /// percpu_ref_init(). A get of the initial reference may follow.
    pub const INIT: u32 = 1;
    /// percpu_ref_kill(). The put of the initial reference follows.
    pub const KILL: u32 = 2;
    /// percpu_ref_resurrect() or percpu_ref_reinit(). A get of the initial reference follows.
    pub const REVIVE: u32 = 3;
    /// percpu_ref_exit().
    pub const EXIT: u32 = 4;
    /// It has more references than are recorded: nothing more is told of it. So it may be with a kref, too.
    pub const LET_GO: u32 = 5;
}

impl Kind {
    /// The kind by its number.
    pub fn of(number: u8) -> Option<Self> {
        const ALL: [Kind; 25] = [
            Kind::Module,
            Kind::Stack,
            Kind::Void,
            Kind::Lost,
            Kind::Process,
            Kind::Thread,
            Kind::Created,
            Kind::Got,
            Kind::Putting,
            Kind::Released,
            Kind::Done,
            Kind::Violated,
            Kind::Checkpoint,
            Kind::Report,
            Kind::Exit,
            Kind::Crash,
            Kind::Begun,
            Kind::Missed,
            Kind::Forking,
            Kind::Percpu,
            Kind::Freed,
            Kind::Moved,
            Kind::Written,
            Kind::Begins,
            Kind::Ends,
        ];
        ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// Whether the body is an event's.
    pub fn is_event(self) -> bool {
        self as u8 >= Self::Process as u8
    }
}

/// The body of an event, without the name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Event {
    /// Its number in the session.
    pub sequence: u64,
    /// Nanoseconds.
    pub time: u64,
    /// The thread's number.
    pub thread: u32,
    /// The stack's number.
    pub stack: u32,
    /// The count's address.
    pub object: u64,
    /// The count.
    pub count: u32,
    /// The release function, the kind of a violation, or the number of a request.
    pub detail: u64,
}

/// The words of an event without a name.
pub const EVENT_WORDS: usize = 6;
/// The most words of an event.
pub const MOST_EVENT_WORDS: usize = EVENT_WORDS + MOST_NAME / 8;

impl Event {
    /// Writes the event and its name into `body`. Returns how many words it takes.
    pub fn write(&self, name: &[u8], body: &mut [u64; MOST_EVENT_WORDS]) -> usize {
        let name = &name[..name.len().min(MOST_NAME)];
        body[0] = self.sequence;
        body[1] = self.time;
        body[2] = u64::from(self.thread) | u64::from(self.stack) << 32;
        body[3] = self.object;
        body[4] = u64::from(self.count) | (name.len() as u64) << 32;
        body[5] = self.detail;
        EVENT_WORDS + write_name(name, &mut body[EVENT_WORDS..])
    }

    /// Reads the event of a body, and the bytes of its name into `name`. `None` if the body is none.
    pub fn read(body: &[u64], name: &mut [u8; MOST_NAME]) -> Option<(Self, usize)> {
        let [sequence, time, who, object, how, detail] = *body.first_chunk::<EVENT_WORDS>()?;
        let event = Self {
            sequence,
            time,
            thread: who as u32,
            stack: (who >> 32) as u32,
            object,
            count: how as u32,
            detail,
        };
        let length = read_name((how >> 32) as usize, &body[EVENT_WORDS..], name)?;
        Some((event, length))
    }
}

/// Writes bytes into words. Returns how many words they take.
pub fn write_name(name: &[u8], words: &mut [u64]) -> usize {
    for (word, bytes) in words.iter_mut().zip(name.chunks(8)) {
        let mut whole = [0; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        *word = u64::from_ne_bytes(whole);
    }
    name.len().div_ceil(8)
}

/// Reads `length` bytes from words. `None` if they are not there.
pub fn read_name(length: usize, words: &[u64], name: &mut [u8]) -> Option<usize> {
    let name = name.get_mut(..length)?;
    for (bytes, word) in name.chunks_mut(8).zip(words.get(..length.div_ceil(8))?) {
        bytes.copy_from_slice(&word.to_ne_bytes()[..bytes.len()]);
    }
    Some(length)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::vec::Vec;

    use super::{Event, Kind, MOST_EVENT_WORDS, MOST_NAME};

    #[test]
    fn a_kind_by_its_number() {
        let known: Vec<u8> = (0..=u8::MAX).filter(|&number| Kind::of(number).is_some()).collect();
        assert_eq!(known, (1..=Kind::Ends as u8).collect::<Vec<_>>());
        assert!(
            known.iter().all(|&number| Kind::of(number).is_some_and(|kind| kind as u8 == number))
        );
        assert_eq!(Kind::of(16), Some(Kind::Crash));
    }

    #[test]
    fn an_event_is_read_as_it_was_written() {
        let event = Event {
            sequence: 1 << 40,
            time: 2,
            thread: 3,
            stack: u32::MAX,
            object: 5,
            count: u32::MAX - 1,
            detail: 7,
        };
        for length in 0..MOST_NAME + 9 {
            let name: std::vec::Vec<u8> = (0..length).map(|byte| byte as u8).collect();
            let mut body = [0; MOST_EVENT_WORDS];
            let words = event.write(&name, &mut body);
            let mut read = [0; MOST_NAME];
            let kept = length.min(MOST_NAME);
            assert_eq!(Event::read(&body[..words], &mut read), Some((event, kept)));
            assert_eq!(read[..kept], name[..kept]);
            assert_eq!(Event::read(&body[..words - 1], &mut read), None);
        }
    }

    #[test]
    fn a_name_of_an_impossible_length_is_none() {
        let mut body = [0; MOST_EVENT_WORDS];
        Event::default().write(b"", &mut body);
        body[4] = (MOST_NAME as u64 + 1) << 32;
        assert_eq!(Event::read(&body, &mut [0; MOST_NAME]), None);
    }
}
