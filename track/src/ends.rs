//! Sees when processes end: by descriptors of theirs, so that a number that another process gets is no mistake.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::maps;
use crate::stat::Stat;

/// What tells from another program the one that a process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Program {
    name: String,
    /// Where its code is; `ENDED` or `HIDDEN` if that is unknown. The start alone is the same for many programs, if
    /// addresses are not random.
    code: [u64; 2],
    /// Whether the process has executed no program since it was forked.
    is_forked: bool,
}

/// What the kernel says of the code of a process that has ended.
const ENDED: [u64; 2] = [0, 0];
/// What the kernel says to a reader who may not trace the process: the process has called prctl(PR_SET_DUMPABLE, 0), or
/// has changed its user.
const HIDDEN: [u64; 2] = [1, 1];

impl Program {
    /// From /proc/PID/stat. A process that has ended has it until its parent has waited for it.
    fn of(pid: u32) -> Option<Self> {
        const FORKED: u64 = 0x40; // PF_FORKNOEXEC
        let stat = Stat::read(&format!("/proc/{pid}"))?;
        Some(Self {
            name: stat.name()?.to_string(),
            code: [stat.number(26)?, stat.number(27)?],
            is_forked: stat.number(9)? & FORKED != 0,
        })
    }

    /// Whether the kernel has told where the code is.
    fn is_known(&self) -> bool {
        ![ENDED, HIDDEN].contains(&self.code)
    }

    /// Takes over what is known now. Code that was known stays known.
    fn learn(&mut self, now: Self) {
        let code = if now.is_known() { now.code } else { self.code };
        *self = Self { code, ..now };
    }

    /// Whether another program was executed meanwhile.
    fn is_other(&self, now: &Self) -> bool {
        let is_other_code = self.is_known() && now.is_known() && self.code != now.code;
        // A process that has ended shows no code addresses: only its name is left to compare.
        let is_other_name = now.code == ENDED && !self.is_forked && self.name != now.name;
        self.is_forked && !now.is_forked || is_other_code || is_other_name
    }
}

/// A process that is waited for.
pub struct Watched {
    /// Its number in the session, or 0 for one that the session does not know.
    pub number: u16,
    /// The kernel's number.
    pub pid: u32,
    /// `None`: it was gone already, or the kernel has no such descriptors.
    descriptor: Option<OwnedFd>,
    program: Option<Program>,
}

impl Watched {
    /// Watches a process that is alive, and that was forked without executing a program, or runs another one than its
    /// parent.
    pub fn new(number: u16, pid: u32, is_forked: bool) -> Self {
        // SAFETY: a bare system call, with the two arguments that it takes.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) };
        // SAFETY: new, and nobody else's.
        let descriptor = (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd as i32) });
        let program = Program::of(pid).map(|program| Program { is_forked, ..program });
        Self { number, pid, descriptor, program }
    }

    /// Whether the process has executed another program since the last look.
    pub fn has_executed(&mut self) -> bool {
        let Some(now) = Program::of(self.pid) else { return false };
        let Some(before) = &mut self.program else {
            self.program = Some(now);
            return false;
        };
        let is_other = before.is_other(&now);
        before.learn(now);
        is_other
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

/// Whether the process with this number exists, and may still run its program. A process that ends first closes its files,
/// and then becomes a zombie. Another process may notice the closed files before that. So a process that is ending does not
/// count as running.
pub fn is_running(pid: u32) -> bool {
    const EXITING: u64 = 0x4; // PF_EXITING
    let Some(stat) = Stat::read(&format!("/proc/{pid}")) else { return false };
    // The flags belong to the first thread, which may have ended while other threads still run.
    let is_ending = stat.number(9).is_some_and(|flags| flags & EXITING != 0)
        && stat.number(20).is_some_and(|threads| threads <= 1);
    !is_ending && stat.state().is_some_and(|state| !['Z', 'X'].contains(&state))
}

/// Whether the process runs and has not mapped a session's memory. `false` also if its maps may not be read.
pub fn is_other(pid: u32, judge: u32) -> bool {
    is_running(pid)
        && match is_user(pid, judge) {
            Ok(is_user) => !is_user,
            Err(error) => error.kind() != io::ErrorKind::PermissionDenied,
        }
}

/// Whether a process has a session's memory mapped.
fn is_user(pid: u32, judge: u32) -> io::Result<bool> {
    let text = maps::read(pid)?;
    Ok(maps::lines(&text).any(|line| line.judge() == Some(judge)))
}

/// The processes that have a session's memory mapped, without this one.
pub fn users(judge: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|&pid| pid != std::process::id() && is_user(pid, judge).unwrap_or(false)).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use std::io::{Read, Write};
    use std::process::Stdio;

    use super::{Program, Watched, is_running};

    #[test]
    fn a_zombie_is_over() {
        let mut child = Command::new("true").spawn().expect("a process");
        let watched = Watched::new(1, child.id(), false);
        while !watched.is_over() {
            std::thread::yield_now();
        }
        assert!(!is_running(child.id()));
        child.wait().expect("it has ended");
        let me = Watched::new(2, std::process::id(), false);
        assert!(!me.is_over() && is_running(std::process::id()));
    }

    /// A shell that executes another program, alive and at its end.
    #[test]
    fn another_program() {
        let script = "printf r; read line; exec cat; exit 1";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut output = shell.stdout.take().expect("a pipe");
        let mut byte = [0];
        // Before its first byte the shell itself may still be on its way.
        output.read_exact(&mut byte).expect("the shell writes");
        let mut watched = Watched::new(1, shell.id(), false);
        let before = watched.program.clone();
        let mut input = shell.stdin.take().expect("a pipe");
        input.write_all(b"go\nx").expect("the shell reads");
        output.read_exact(&mut byte).expect("cat writes");
        assert!(watched.has_executed() && !watched.has_executed());
        drop(input);
        while !watched.is_over() {
            std::thread::yield_now();
        }
        assert!(!watched.has_executed());
        watched.program = before;
        assert!(watched.has_executed(), "it has another name");
        shell.wait().expect("it has ended");
        assert!(!watched.has_executed(), "nothing is known of it");
    }

    /// A process that the judge may not trace any more runs the same program.
    #[test]
    fn a_hidden_program() {
        let shown = Program { name: "program".into(), code: [5, 6], is_forked: false };
        let hidden = Program { code: [1, 1], ..shown.clone() };
        let mut known = shown.clone();
        assert!(!known.is_other(&hidden));
        known.learn(hidden.clone());
        assert!(!known.is_other(&shown) && !hidden.is_other(&shown));
        assert!(known.is_other(&Program { code: [5, 7], ..shown }), "the code was known before");
    }

    #[test]
    fn a_forked_child() {
        let child = Program { name: "program".into(), code: [5, 6], is_forked: true };
        assert!(!child.is_other(&Program {
            code: [0, 0],
            name: "renamed".into(),
            ..child.clone()
        }));
        assert!(child.is_other(&Program { is_forked: false, ..child.clone() }));
        let shell = Program { is_forked: false, ..child };
        assert!(!shell.is_other(&Program { name: "renamed".into(), ..shell.clone() }));
    }
}
