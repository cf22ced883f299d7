//! `kref-track -p PID`: asks the judge of a running program what the program holds.
//!
//! The judge listens at a socket without a file. It answers only its own user and the superuser.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::Duration;

use crate::judge::Judge;
use crate::live::{self, Live};
use crate::maps;
use crate::{clock, ends, report, text};

/// So long a question or its answer may take.
const TIMEOUT: Duration = Duration::from_secs(2);

fn address(judge: u32) -> std::io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("kref-track.{judge}"))
}

/// Where a judge is asked.
pub struct Desk {
    listener: UnixListener,
    /// The looks of `--live`, by process.
    lives: HashMap<u32, Live>,
}

/// What is asked.
const HELD: u8 = 0;
const LIVE: u8 = 1;
/// An address follows: who holds the object there.
const HOLDERS: u8 = 2;

impl Desk {
    /// Opens the desk of this process.
    pub fn open() -> Option<Self> {
        let listener = UnixListener::bind_addr(&address(std::process::id()).ok()?).ok()?;
        listener.set_nonblocking(true).ok()?;
        Some(Self { listener, lives: HashMap::new() })
    }

    /// Answers those who wait.
    pub fn serve(&mut self, judge: &mut Judge) {
        // An accept() that finds no connection costs more than this look: it makes a socket first.
        while ends::is_ready(self.listener.as_raw_fd())
            && let Ok((stream, _)) = self.listener.accept()
        {
            let _ = self.answer(stream, judge);
        }
        if !self.lives.is_empty() {
            let is_there = |pid: u32| judge.processes.all().any(|process| process.pid == pid);
            self.lives.retain(|&pid, _| is_there(pid));
        }
    }

    fn answer(&mut self, mut stream: UnixStream, judge: &mut Judge) -> std::io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        // SAFETY: no argument.
        let own = unsafe { libc::geteuid() };
        if peer(&stream).is_none_or(|peer| peer.uid != own && peer.uid != 0) {
            return Ok(());
        }
        let mut question = [0; 5];
        stream.read_exact(&mut question)?;
        let [a, b, c, d, what] = question;
        let pid = u32::from_le_bytes([a, b, c, d]);
        let mut address = [0; 8];
        if what == HOLDERS {
            stream.read_exact(&mut address)?;
        }
        judge.catch_up();
        judge.world.now.set(clock::now());
        let mut processes = judge.processes.all().filter(|it| it.pid == pid && !it.is_over);
        let text = match processes.next() {
            Some(process) if what == LIVE => {
                self.lives.entry(pid).or_default().look(&judge.world, process)
            }
            Some(process) if what == HOLDERS => {
                text::holders(&judge.world, process, u64::from_le_bytes(address))
            }
            Some(process) => report::requested(&judge.world, process, "kref-track -p"),
            None => format!("kref-track: process {pid} has not used a reference yet\n"),
        };
        stream.write_all(text.as_bytes())
    }
}

fn peer(stream: &UnixStream) -> Option<libc::ucred> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: `peer` has room for it.
    let failed = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &mut length,
        )
    };
    (failed == 0).then_some(peer)
}

/// What the process of a number holds, as its judge knows it; or who holds the object at an address.
pub fn ask(pid: u32, address: Option<u64>) -> Result<String, String> {
    match address {
        None => question(pid, HELD, &[]),
        Some(address) => question(pid, HOLDERS, &address.to_le_bytes()),
    }
}

/// Shows what a process holds, again and again, until it ends.
pub fn live(pid: u32) -> Result<(), String> {
    let mut look = question(pid, LIVE, &[])?;
    loop {
        let shown = live::shown(&look, libc::STDOUT_FILENO);
        let mut out = std::io::stdout();
        let written = out.write_all(shown.as_bytes()).and_then(|()| out.flush());
        written.map_err(|error| error.to_string())?;
        std::thread::sleep(Duration::from_secs(1));
        // Its end is no mistake.
        let Ok(next) = question(pid, LIVE, &[]) else { return Ok(()) };
        look = next;
    }
}

fn question(pid: u32, what: u8, more: &[u8]) -> Result<String, String> {
    let judge =
        judge_of(pid).ok_or(format!("process {pid} is not tracked, or is another user's"))?;
    let failed = |error| format!("the judge of process {pid} does not answer: {error}");
    let mut stream = address(judge).and_then(|at| UnixStream::connect_addr(&at)).map_err(failed)?;
    stream.set_read_timeout(Some(10 * TIMEOUT)).map_err(failed)?;
    if peer(&stream).is_none_or(|peer| peer.pid as u32 != judge) {
        return Err(format!("another process answers for the judge of process {pid}"));
    }
    let [a, b, c, d] = pid.to_le_bytes();
    stream.write_all(&[&[a, b, c, d, what], more].concat()).map_err(failed)?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// The judge's number is in the name of the memory that the process has mapped.
fn judge_of(pid: u32) -> Option<u32> {
    let text = maps::read(pid).ok()?;
    let judge = maps::lines(&text).find_map(|line| line.judge())?;
    (judge != pid).then_some(judge) // the judge has the memory, too
}
