//! Traces: a file with all records of a session, from which `kref-track report` makes the reports later.
//!
//! docs/trace.md describes the file.

mod read;
mod write;

#[cfg(feature = "fuzzing")]
pub use read::judge;
pub use read::report;
pub use write::Writer;

const MAGIC: [u8; 8] = *b"kref-trc";
/// Raised when a reader of the version before would read something wrong.
pub const VERSION: u64 = 1;

/// A build-id: its length, its bytes. It is that of the file that the next Module record names.
const OPENED: u8 = 0x81;
/// The end of a process: how, the status or the signal, the time in milliseconds.
const ENDED: u8 = 0x82;
/// Memory that a process shares with others: the first address, the address behind the last.
const SHARED: u8 = 0x83;
/// A function at a place in a file.
const FRAME: u8 = 0x84;

/// The kinds of records that are in traces alone, and what docs/trace.md calls them.
#[cfg(test)]
pub const OWN: [(u8, &str); 4] =
    [(OPENED, "OPENED"), (ENDED, "ENDED"), (SHARED, "SHARED"), (FRAME, "FRAME")];

/// A longer build-id is cut.
const MOST_BUILD_ID: usize = 64;
/// A longer name of a function or of a source file is cut.
const MOST_TEXT: usize = 512;
/// The words of a FRAME record without the names.
const FRAME_WORDS: usize = 5;

#[cfg(test)]
mod tests;
