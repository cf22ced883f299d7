//! Where reports go: standard error, or the file that log_path= names.

use std::sync::atomic::AtomicU64;

use crate::lock::Lock;
use crate::options::options;

/// The process whose log is open, and its descriptor.
static LOG: Lock<(u32, i32)> = Lock::new((0, -1));
/// How many misuses and leaks were told.
pub static FOUND: AtomicU64 = AtomicU64::new(0);

/// Writes all of `text` where reports go.
pub fn write(text: &str) {
    write_to(log(), text);
}

/// Writes all of `text` to a descriptor: to nobody, if it cannot be written.
pub fn write_to(fd: i32, text: &str) {
    let mut bytes = text.as_bytes();
    while !bytes.is_empty() {
        // SAFETY: the bytes are there. A bare system call is no cancellation point.
        let written = unsafe { libc::syscall(libc::SYS_write, fd, bytes.as_ptr(), bytes.len()) };
        match usize::try_from(written) {
            Ok(written @ 1..) => bytes = &bytes[written..],
            _ if std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) => {}
            _ => return,
        }
    }
}

/// One line from us.
pub fn say(line: &str) {
    write(&format!("kref-track: {line}\n"));
}

/// The descriptor that reports go to: opened at the first report, and anew in a fork's child.
pub fn log() -> i32 {
    let Some(pattern) = &options().log_path else { return libc::STDERR_FILENO };
    let process = std::process::id();
    let mut log = LOG.lock();
    if log.0 != process {
        *log = (process, open(pattern, process));
    }
    if log.1 < 0 { libc::STDERR_FILENO } else { log.1 }
}

fn open(pattern: &str, process: u32) -> i32 {
    let path = format!("{}\0", expand(pattern, process));
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
    // SAFETY: a C string.
    let fd =
        unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0o666) };
    if fd < 0 {
        let error = std::io::Error::last_os_error();
        let path = path.trim_end_matches('\0');
        write_to(libc::STDERR_FILENO, &format!("kref-track: {path}: {error}\n"));
    }
    fd as i32
}

/// `%p` is the process's number.
pub fn expand(pattern: &str, process: u32) -> String {
    pattern.replace("%p", &process.to_string())
}

/// Around a fork.
pub fn before_fork() {
    LOG.take();
}

/// In the parent and in the child.
pub fn after_fork() {
    LOG.give_back();
}
