//! The command that has started the program, and waits for its report.

use std::io::{BufRead, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::Service;
use crate::report::End;
use crate::{clock, ends};

impl Service {
    /// Hears the command: first the number of its program, then the program's status. It may end before.
    pub(super) fn hear(&mut self) {
        while let Some(mut command) = self.command.take() {
            // Two lines may have come at once: the second is in the buffer.
            if command.buffer().is_empty() && !ends::is_ready(command.get_ref().as_raw_fd()) {
                self.command = Some(command);
                return;
            }
            let mut line = String::new();
            let _ = command.read_line(&mut line);
            match line.trim_end().split_once(' ') {
                Some(("program", pid)) => {
                    self.program = pid.parse().unwrap_or(0);
                    self.command = Some(command);
                }
                Some(("status", status)) => {
                    let status = ExitStatus::from_raw(status.parse().unwrap_or(0));
                    let (is_tracked, found) = self.program_ended(status);
                    let _ = writeln!(command.into_inner(), "{} {found}", u8::from(is_tracked));
                }
                _ => {}
            }
        }
    }

    /// The program has ended. Returns whether it was tracked, or any program that it has run, and how much was found in
    /// the program itself.
    fn program_ended(&mut self, status: ExitStatus) -> (bool, u64) {
        self.drain();
        self.judge.world.now.set(clock::now());
        let ended = self.watched.extract_if(.., |watched| watched.pid == self.program);
        let ended: Vec<_> = ended.collect();
        self.await_children(&ended);
        for mut watched in ended {
            let end = match status.signal() {
                _ if watched.has_executed() => End::Executed,
                None => End::Left(status.code()),
                Some(signal) => End::Signal(signal),
            };
            self.judge.end(watched.number, end);
            self.judge.let_go(watched.number);
        }
        self.count_found();
        // A shell or a debugger uses no libkref, but what it has run may.
        let is_tracked = self.found.is_some() || self.session.had_processes();
        (is_tracked, self.found.unwrap_or(0))
    }

    /// Counts what was found in the program.
    pub(super) fn count_found(&mut self) {
        for (pid, found) in std::mem::take(&mut self.judge.ended) {
            if pid == self.program {
                *self.found.get_or_insert(0) += found;
            }
        }
    }
}
