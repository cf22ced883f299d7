//! Runs programs.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};

/// How a program ended, and its output.
#[derive(Debug)]
pub struct Finished {
    /// Whether the program exited with status 0.
    pub success: bool,
    /// The exit status, if the program exited.
    pub status: Option<i32>,
    /// The signal that killed the program, if a signal did.
    pub signal: Option<i32>,
    /// Standard output, then standard error.
    pub output: String,
}

/// Runs `command` until it ends. Address randomisation is off, because some versions of
/// ThreadSanitizer fail with it. libkref's environment variables are removed, unless the command
/// sets them itself.
pub fn run(command: &mut Command) -> Finished {
    for name in ["KREF_OPTIONS", "KREF_TRACK_LIBRARY", "KREF_TRACK_SESSION"] {
        if !command.get_envs().any(|(set, _)| set == name) {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    // SAFETY: personality() is only a system call, so it may be called between fork and exec.
    unsafe {
        command.pre_exec(|| {
            libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong);
            Ok(())
        });
    }
    match command.output() {
        Ok(ended) => Finished {
            success: ended.status.success(),
            status: ended.status.code(),
            signal: ended.status.signal(),
            output: [ended.stdout, ended.stderr]
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .concat(),
        },
        Err(error) => Finished {
            success: false,
            status: None,
            signal: None,
            output: format!("{}: {error}", command.get_program().display()),
        },
    }
}

/// A command that runs a compiled C program: directly, or in the emulator of `KREF_EMULATOR`, which is a
/// command with options. ci/cross.sh sets it.
pub fn program(executable: &Path) -> Command {
    let emulator = emulator().unwrap_or_default();
    let mut words = emulator.split_whitespace();
    match words.next() {
        Some(first) => {
            let mut command = Command::new(first);
            command.args(words).arg(executable);
            command
        }
        None => Command::new(executable),
    }
}

/// `KREF_EMULATOR`, if the machine cannot run the programs that its compiler makes.
pub fn emulator() -> Option<String> {
    std::env::var("KREF_EMULATOR").ok()
}

/// The message of a failed test about the program that it ran.
pub fn describe(what: &str, ended: &Finished) -> String {
    let signal = ended.signal.map_or(String::new(), |signal| format!(" (signal {signal})"));
    format!("{what}{signal}:\n{}", ended.output)
}

/// The output of `command`, which must exit with status 0.
pub fn printed(command: &mut Command) -> String {
    let ended = run(command);
    assert!(ended.success, "{command:?}:\n{}", ended.output);
    ended.output
}

/// A make in `folder`.
pub fn make_in(folder: &Path) -> Command {
    let mut make = Command::new("make");
    without_make_flags(make.current_dir(folder));
    make
}

/// `make check` passes its flags to each make that these tests start. They are not meant for that make.
pub fn without_make_flags(command: &mut Command) -> &mut Command {
    for variable in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS"] {
        command.env_remove(variable);
    }
    command
}

/// Whether valgrind is installed.
pub fn valgrind() -> bool {
    run(Command::new("valgrind").arg("--version")).success
}

/// Whether spin, the model checker, is installed.
pub fn spin() -> bool {
    run(Command::new("spin").arg("-V")).success
}
