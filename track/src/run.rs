//! Runs a program with its references tracked.

use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

use crate::options::Options;
use crate::preload;
use crate::start::Judge;

/// A program, and how it is tracked.
pub struct Program {
    /// The options as KREF_OPTIONS has them.
    pub text: String,
    /// The options.
    pub options: Options,
    /// libkref_track.so, if it was named.
    pub library: Option<PathBuf>,
    /// Whether the program goes on when this command is killed.
    pub survive: bool,
    /// Whether the recorder may be preloaded.
    pub preload: bool,
    /// The program.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

impl Program {
    /// Runs it, and passes its status on.
    pub fn run(self) -> Result<ExitCode, String> {
        let library = match &self.library {
            Some(file) => file.clone(),
            None => find_library()?,
        };
        let exit_code = self.options.exitcode;
        let mut judge = Judge::start(self.options.clone())?;
        let name = self.program.display().to_string();
        let mut command = self.command(&library, &judge.path);
        forward_signals();
        let mut child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
        let pid = child.id();
        CHILD.store(pid as i32, Relaxed);
        judge.has_started(pid);
        let status = wait(pid as i32)?;
        forward_to_nobody();
        let result = judge.has_ended(status.into_raw());
        let _ = child.wait();
        match result {
            None => eprintln!("kref-track: the judge has ended before {name}: there is no report"),
            Some((false, _)) => eprintln!(
                "kref-track: {name} was not tracked: it did not start, uses no libkref that can track, or \
                 is setuid or linked with -static"
            ),
            Some((true, _)) => {}
        }
        let found = result.is_some_and(|(_, found)| found > 0);
        Ok(pass_on(status, &name, if found { exit_code } else { 0 }))
    }

    fn command(&self, library: &Path, session: &str) -> Command {
        let mut options = format!("track=1{}", self.text);
        if let Ok(before) = std::env::var("KREF_OPTIONS")
            && !before.is_empty()
        {
            options = format!("{before}:{options}");
        }
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command.env("KREF_OPTIONS", options).env("KREF_TRACK_LIBRARY", library);
        command.env("KREF_TRACK_SESSION", session);
        // With --keep-freed the programs that it starts have it, too. Otherwise the recorder removes the variables.
        let is_inherited = self.options.keep_freed;
        if is_inherited || (self.preload && preload::may(&self.program)) {
            command.env("LD_PRELOAD", preload::with(library));
            if !is_inherited {
                command.env("KREF_TRACK_PRELOADED", "1");
            }
        }
        if !self.survive {
            let parent = std::process::id();
            // SAFETY: bare system calls.
            unsafe {
                command.pre_exec(move || {
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                    // It may have died before that call.
                    if libc::getppid() as u32 == parent { Ok(()) } else { libc::_exit(127) }
                });
            }
        }
        command
    }
}

/// Waits until the program has ended, and leaves it a zombie: the judge may look at it. While the terminal has stopped
/// the program, this command is stopped, too. SIGSTOP is for the program alone: who has sent it continues the program,
/// and does not know of this command.
fn wait(pid: i32) -> Result<ExitStatus, String> {
    loop {
        let how = libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT;
        // SAFETY: `info` is ours to fill, and may be zero.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        if unsafe { libc::waitid(libc::P_PID, pid as u32, &mut info, how) } != 0 {
            let error = std::io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::EINTR) {
                return Err(error.to_string());
            }
            continue;
        }
        // SAFETY: waitid() has filled it in.
        let status = unsafe { info.si_status() };
        match info.si_code {
            libc::CLD_EXITED => return Ok(ExitStatus::from_raw((status & 0xff) << 8)),
            libc::CLD_KILLED => return Ok(ExitStatus::from_raw(status)),
            libc::CLD_DUMPED => return Ok(ExitStatus::from_raw(status | 0x80)),
            _ => stop(pid),
        }
    }
}

/// The program was stopped.
fn stop(pid: i32) {
    let mut status = 0;
    // SAFETY: `status` is ours to fill. The stop is told once.
    let waited = unsafe { libc::waitpid(pid, &mut status, libc::WUNTRACED | libc::WNOHANG) };
    let by_terminal = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
    if waited == pid && libc::WIFSTOPPED(status) && by_terminal.contains(&libc::WSTOPSIG(status)) {
        // SAFETY: a signal for this process.
        unsafe { libc::raise(libc::SIGSTOP) };
        // SAFETY: who has continued this process means the program.
        unsafe { libc::kill(pid, libc::SIGCONT) };
    }
}

/// The program's status as ours. A signal that ended it ends us, too.
fn pass_on(status: ExitStatus, name: &str, exit_code: i32) -> ExitCode {
    if let Some(signal) = status.signal() {
        // A use of freed memory often ends so.
        let hint = match signal {
            libc::SIGSEGV | libc::SIGBUS | libc::SIGABRT => {
                "; --keep-freed finds puts on freed objects"
            }
            _ => "",
        };
        eprintln!("kref-track: {name} was ended by signal {signal}{hint}");
        // SAFETY: the signal gets its default action back, and no core of ours is wanted.
        unsafe {
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::setrlimit(libc::RLIMIT_CORE, &none);
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
        return ExitCode::from(128 + signal as u8);
    }
    match exit_code {
        0 => ExitCode::from(status.code().unwrap_or(1) as u8),
        found => ExitCode::from(found as u8),
    }
}

/// The name that libkref asks the loader for.
const SONAME: &str = concat!(
    "libkref_track.so.",
    env!("CARGO_PKG_VERSION_MAJOR"),
    ".",
    env!("CARGO_PKG_VERSION_MINOR")
);

fn find_library() -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|error| error.to_string())?;
    let here = here.parent().unwrap_or(Path::new("."));
    let multiarch = format!("../lib/{}-linux-gnu", std::env::consts::ARCH);
    let places = [".", "../lib", "../lib64", &multiarch];
    let mut candidates = places.iter().map(|place| here.join(place).join("kref").join(SONAME));
    candidates.find_map(|file| file.canonicalize().ok()).ok_or_else(|| {
        let here = here.display();
        format!("{SONAME} is neither in {here}/kref nor in {here}/../lib/kref; --library names it")
    })
}

static CHILD: AtomicI32 = AtomicI32::new(0);

const FORWARDED: [libc::c_int; 6] =
    [libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2, libc::SIGINT, libc::SIGQUIT];

/// What somebody sends to this command is meant for the program.
fn forward_signals() {
    for signal in FORWARDED {
        // SAFETY: `forward` does what a handler may.
        unsafe { libc::signal(signal, forward as *const () as usize) };
    }
}

extern "C" fn forward(signal: libc::c_int) {
    let child = CHILD.load(Relaxed);
    // The terminal sends these to the program itself.
    if child > 0 && signal != libc::SIGINT && signal != libc::SIGQUIT {
        // SAFETY: a bare system call.
        unsafe { libc::kill(child, signal) };
    }
}

/// The program is over: a signal is for this command.
fn forward_to_nobody() {
    for signal in FORWARDED {
        // SAFETY: the default action.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}
