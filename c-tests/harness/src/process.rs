//! Running programs to their end.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

/// How a program ended and what it said, on both of its outputs.
#[derive(Debug)]
pub struct Finished {
    /// Whether it ended with status 0.
    pub success: bool,
    /// Its exit status, if it came to that.
    pub status: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Standard output, then standard error.
    pub output: String,
}

/// Runs `command` to its end, without address randomisation, which some ThreadSanitizers cannot
/// bear, and without options of the environment's, other than the command's own, that change what libkref says.
pub fn run(command: &mut Command) -> Finished {
    for name in ["KREF_OPTIONS", "KREF_TRACK_LIBRARY"] {
        if !command.get_envs().any(|(set, _)| set == name) {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    // SAFETY: personality is a bare system call: allowed between fork and exec.
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

/// What a failed test says of the program that it ran.
pub fn describe(what: &str, ended: &Finished) -> String {
    let signal = ended.signal.map_or(String::new(), |signal| format!(" (signal {signal})"));
    format!("{what}{signal}:\n{}", ended.output)
}

/// What `command` says, which must end well.
pub fn printed(command: &mut Command) -> String {
    let ended = run(command);
    assert!(ended.success, "{command:?}:\n{}", ended.output);
    ended.output
}

/// Whether valgrind is here.
pub fn valgrind() -> bool {
    run(Command::new("valgrind").arg("--version")).success
}

/// Whether spin is here, which checks models.
pub fn spin() -> bool {
    run(Command::new("spin").arg("-V")).success
}
