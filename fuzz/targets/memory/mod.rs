//! Files in memory, which the library reads and writes.

use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::FromRawFd;

/// A new file with this text, at its beginning.
pub fn file(text: &[u8]) -> File {
    // SAFETY: a C string. The descriptor is new, and the file's alone.
    let mut file = unsafe {
        let descriptor = libc::memfd_create(c"fuzz".as_ptr(), libc::MFD_CLOEXEC);
        assert!(descriptor >= 0, "no file in memory");
        File::from_raw_fd(descriptor)
    };
    file.write_all(text).expect("memory");
    file.rewind().expect("a file");
    file
}
