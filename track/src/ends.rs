//! Sees when processes end: by descriptors of theirs, so that a number that another process gets is no mistake.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A process that is waited for.
pub struct Watched {
    /// Its number in the session, or 0 for one that the session does not know.
    pub number: u16,
    /// The kernel's number.
    pub pid: u32,
    /// `None`: it was gone already, or the kernel has no such descriptors.
    descriptor: Option<OwnedFd>,
}

impl Watched {
    /// Watches a process that is alive.
    pub fn new(number: u16, pid: u32) -> Self {
        // SAFETY: a bare system call, with the two arguments that it takes.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) };
        // SAFETY: new, and nobody else's.
        let descriptor = (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd as i32) });
        Self { number, pid, descriptor }
    }

    /// Whether the process is over.
    pub fn is_over(&self) -> bool {
        match &self.descriptor {
            Some(descriptor) => is_ready(descriptor.as_raw_fd()),
            None => !is_running(self.pid),
        }
    }
}

/// Whether a descriptor has something to read. A process's descriptor has when the process has ended.
pub fn is_ready(fd: i32) -> bool {
    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry.
    unsafe { libc::poll(&mut poll, 1, 0) > 0 }
}

/// Whether there is a process of this number that is no zombie.
pub fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Behind the name, which may have any character in it.
    stat.rsplit(") ")
        .next()
        .is_some_and(|state| !state.is_empty() && !state.starts_with(['Z', 'X']))
}

/// The processes that have a session's memory mapped, without this one.
pub fn users(judge: u32) -> Vec<u32> {
    let wanted = format!("/memfd:kref-track.{judge} ");
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let maps = |pid: u32| std::fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
    let has = |pid: &u32| String::from_utf8_lossy(&maps(*pid)).contains(&wanted);
    pids.filter(|&pid| pid != std::process::id()).filter(has).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{Watched, is_running};

    #[test]
    fn a_zombie_is_over() {
        let mut child = Command::new("true").spawn().expect("a process");
        let watched = Watched::new(1, child.id());
        while !watched.is_over() {
            std::thread::yield_now();
        }
        assert!(!is_running(child.id()));
        child.wait().expect("it has ended");
        let me = Watched::new(2, std::process::id());
        assert!(!me.is_over() && is_running(std::process::id()));
    }
}
