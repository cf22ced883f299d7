//! Files that others have named: opened if they are files, and read as far as they go.

use std::fs::File;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// A file, and neither a device nor a pipe.
pub fn open(path: &Path) -> Option<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY; // it may be a device or a pipe
    let file = File::options().read(true).custom_flags(flags).open(path).ok()?;
    file.metadata().is_ok_and(|data| data.is_file()).then_some(file)
}

/// More bytes are no table of a file.
const MOST_BYTES: u64 = 256 << 20;

/// Some bytes of a file.
pub fn bytes(file: &File, at: u64, length: u64) -> Option<Vec<u8>> {
    let end = at.checked_add(length)?;
    if length > MOST_BYTES || end > file.metadata().ok()?.len() {
        return None;
    }
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, at).ok()?;
    Some(bytes)
}
