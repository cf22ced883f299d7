//! Starts the judge's process, which is always another one than the command: the command waits for its program alone.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::exit;

use crate::options::Options;
use crate::serve::Service;

/// A judge in a process of its own.
pub struct Judge {
    stream: BufReader<UnixStream>,
    /// The path of the session's memory.
    pub path: String,
}

impl Judge {
    /// Starts one. Before there is another thread in this process.
    pub fn start(options: Options) -> Result<Self, String> {
        let pair = UnixStream::pair().map_err(|error| error.to_string())?;
        // SAFETY: this process has one thread.
        match unsafe { libc::fork() } {
            -1 => Err(std::io::Error::last_os_error().to_string()),
            0 => {
                drop(pair.0);
                serve_command(pair.1, options);
                exit(0)
            }
            _ => {
                drop(pair.1);
                let mut stream = BufReader::new(pair.0);
                let mut path = String::new();
                let _ = stream.read_line(&mut path);
                let path = path.trim_end().to_string();
                if path.is_empty() {
                    Err("the judge did not start".into())
                } else {
                    Ok(Self { stream, path })
                }
            }
        }
    }

    /// Tells it of the program.
    pub fn has_started(&mut self, pid: u32) {
        let _ = writeln!(self.stream.get_mut(), "program {pid}");
    }

    /// Tells it of the program's end, and waits until it has written its report. Returns whether the program was
    /// tracked, and how much was found. `None`: the judge has ended.
    pub fn has_ended(&mut self, status: i32) -> Option<(bool, u64)> {
        writeln!(self.stream.get_mut(), "status {status}").ok()?;
        let mut line = String::new();
        self.stream.read_line(&mut line).ok()?;
        let (is_tracked, found) = line.trim_end().split_once(' ')?;
        Some((is_tracked == "1", found.parse().ok()?))
    }
}

fn serve_command(mut stream: UnixStream, options: Options) {
    detach(&[stream.as_raw_fd()]);
    match Service::new(options, std::process::id()) {
        Ok(service) => {
            let _ = writeln!(stream, "{}", service.path());
            service.of_command(stream);
        }
        Err(mistake) => eprintln!("kref-track: {mistake}"),
    }
}

/// `kref-track --judge-for PID FD OPTIONS`: a recorder has started this process. It ends at once, so that the
/// program has no child that it does not know of, and leaves another one behind.
pub fn judge_for(pid: &OsStr, fd: &OsStr, options: &OsStr) -> Result<(), String> {
    let number = |text: &OsStr| text.to_str()?.parse::<u32>().ok();
    let (Some(pid), Some(fd)) = (number(pid), number(fd)) else {
        return Err("--judge-for is for libkref_track.so".into());
    };
    if i32::try_from(pid).is_err() {
        return Err("the program may not call getpid(); nothing is tracked".into());
    }
    let options = Options::parse(&options.to_string_lossy());
    let options =
        options.map_err(|mistake| format!("KREF_OPTIONS: {mistake}; nothing is tracked"))?;
    // SAFETY: this process has one thread.
    if unsafe { libc::fork() } != 0 {
        return Ok(());
    }
    detach(&[fd as RawFd]);
    // SAFETY: the descriptor that the recorder has made for this. Nobody else uses it here.
    let mut answer = unsafe { File::from_raw_fd(fd as RawFd) };
    match Service::new(options, pid) {
        Ok(service) => {
            let _ = writeln!(answer, "{}", service.path());
            drop(answer);
            service.of_program(pid);
        }
        Err(mistake) => eprintln!("kref-track: {mistake}; nothing is tracked"),
    }
    exit(0)
}

/// Also of a file that became larger than RLIMIT_FSIZE allows: the write fails then.
const IGNORED: [libc::c_int; 6] =
    [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGPIPE, libc::SIGXFSZ];

/// Leaves the terminal and the program's files. What goes to the terminal as a signal is not for the judge, which
/// goes on as long as somebody is to be judged.
fn detach(keep: &[RawFd]) {
    // SAFETY: bare system calls. No descriptor of this process is in use but those that are kept.
    unsafe {
        libc::setsid();
        for signal in IGNORED {
            libc::signal(signal, libc::SIG_IGN);
        }
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        libc::dup2(null, libc::STDIN_FILENO);
        libc::dup2(null, libc::STDOUT_FILENO);
        let mut first = 3;
        let mut keep = keep.to_vec();
        keep.sort_unstable();
        for fd in keep {
            if fd as u32 > first {
                libc::syscall(libc::SYS_close_range, first, fd as u32 - 1, 0);
            }
            first = fd as u32 + 1;
        }
        libc::syscall(libc::SYS_close_range, first, u32::MAX, 0);
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
    }
}
