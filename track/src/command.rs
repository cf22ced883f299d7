//! The command line.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::options::Options;
use crate::{ask, run, start, trace};

const HELP: &str = "\
kref-track - names the code that took references which nobody gave back

usage: kref-track [options] PROGRAM [arguments]
       kref-track [options] report FILE
       kref-track [--live] -p PID

Runs a program that uses libkref, and records its references. When the program ends, in whatever way,
kref-track writes a report to standard error: the references that are still held, by type, by holder, and by
the stack of the get that took them. It reports misuse at once: a get or put on a released object, with the
stacks of the call, of the put that released the object and of the call that created it; a second
kref_init() on a live object; memory that was freed while somebody held a reference (when a new object begins
at the same address); a put by a holder that holds no reference. If there is nothing to report, kref-track
prints nothing, except that the program was not tracked, or was ended by a signal. The exit status is the
program's, or N with --exitcode N.

The first form runs a program. The second makes the reports of a trace. The third shows what a running program
that is tracked holds now.

  --live                show what is held each second: by type and holder, with what changes; what grows
                        comes first. On a terminal the screen is refreshed
  --stuck SECONDS       report a release function that does not return in this time, and what it waits for: a
                        mutex, for example, which the thread that called the put may hold itself
  --address ADDRESS     with -p PID or report FILE: show only who holds the object whose count is at this address
  --watermark N         report an object when it gets its Nth reference, with all who hold one: once for each
                        type

  --filter GLOB         report an object only if GLOB matches its type's name (or its release function's),
                        or a function or a file in the stack that created the object: 'session_*',
                        '*server.c'
  --object N            print each get and put of the Nth object that is created, with time, thread, count
                        and stack. If several threads create objects, N is another object in the next run

  --chaos               delay threads around each get and put, so that races become likely. A report has
                        the seed
  --seed N              --chaos with the same delays again: N is in the report

  --format FORM         text; json: one value in a line, which share/kref/report.schema.json describes; html: a
                        page for a browser; sarif: SARIF 2.1.0 for CI systems. A page or a SARIF log goes to
                        the file of --log-path, or to kref-track.PID.html or .sarif
  --flamegraph FILE     draw the references that are held at the end, if any, as an SVG for a browser
  --trace FILE          write all that is recorded to FILE, for kref-track report
  --log-path FILE       write reports to FILE; %p becomes the number of the process
  --exitcode N          exit with N, from 1 to 255, if something was found in the program that is more than a
                        note: held references, a misuse, a region or a thread that is reported
  --signal USR1         report the held references when this signal comes (USR1, USR2, HUP, PROF, WINCH)
  --stale-handles       count the lookups by handle that find no object in their pool, and report them at the
                        end, by stack
  --summary             write one line at the end in any case

  --depth N             keep N frames of each stack (16; at most 64)
  --sample 1/N          track one object in N
  --max-memory MB       limit the memory for objects, references and stacks (1024); a report says what was
                        dropped
  --lossy               do not make the program wait when kref-track is slower: drop what is too much
  --survive             let the program go on, untracked, if kref-track is killed
  --keep-freed          keep the last 64 MB of released objects that were freed, in the place of the last 1 MB, so
                        that each late get, put and write is found. Not for programs with AddressSanitizer
  --no-preload          leave the program's free() and realloc() alone
  --debug-dir DIR       look for separate debug files below DIR, too, as below /usr/lib/debug
  --library FILE        libkref_track.so, if it is not in kref/ beside this command or in ../lib/kref

  --help, --version

A program that calls kref_track_checkpoint() limits later reports to references that were taken after the
call. kref_track_report(fd) writes a report at any time. kref_balance_begin(type) and kref_balance_end() report
references that the code between them leaves behind. Without this command,
KREF_OPTIONS=track=1:depth=8:summary=1 does the same: the names are those above, with _ for -.
KREF_TRACK_LIBRARY=FILE stands for --library. KREF_OPTIONS=track=file writes a trace and no reports: to the
FILE of trace=, or to kref-track.PID.trace. kref-track report FILE makes the reports of it, also on a machine that
does not have the program.

Compile the program with -g (or -g1, also with -O2). Without it a report has addresses in place of lines and
no inlined functions, and may name another get of the same function. Separate debug files are found as gdb finds
them, by .gnu_debuglink or by the build-id below /usr/lib/debug, and in the cache of debuginfod.

kref-track looks at each free() and realloc() of the program, unless the program has a sanitizer or is a script.
It keeps released objects for a while after their free(), and so finds late gets, puts and writes. Otherwise a
late get or put is found only if free() did not overwrite the count, which it does in the first 16 bytes of the
memory.

To find the get that a put undoes, kref-track compares the holder's name; without a name, the functions in
the two stacks: the put's own function first, then its caller, and so on. If the get is still not certain,
the report says so, and has the number of gets and puts at each call site.

example: kref-track --filter 'session_*' --flamegraph held.svg ./server --port 8080
";

/// What is to be done.
pub enum Command {
    /// Run a program.
    Run(run::Program),
    /// Make the reports of a trace.
    Report(Options, PathBuf),
    /// Ask the judge of a running program.
    Ask(u32, Option<u64>),
    /// Ask it again and again.
    Live(u32),
    /// Judge a program that has asked for it itself.
    JudgeFor([OsString; 3]),
}

impl Command {
    /// Does it.
    pub fn run(self) -> Result<ExitCode, String> {
        match self {
            Self::Run(program) => return program.run(),
            Self::Report(options, file) => trace::report(Path::new(&file), options)?,
            Self::Ask(pid, address) => say(&ask::ask(pid, address)?),
            Self::Live(pid) => ask::live(pid)?,
            Self::JudgeFor([pid, fd, options]) => {
                if let Err(mistake) = start::judge_for(&pid, &fd, &options) {
                    eprintln!("kref-track: {mistake}");
                    return Ok(ExitCode::from(2));
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Reads the command line.
pub fn read() -> Result<Command, String> {
    use lexopt::prelude::*;
    let mut parser = lexopt::Parser::from_env();
    let mut options = String::new();
    let mut add = |key: &str, value: OsString| -> Result<(), String> {
        let value = value.into_string().map_err(|_| format!("--{key}: not UTF-8"))?;
        if value.contains(':') {
            return Err(format!("--{key} {value}: a colon cannot be passed on"));
        }
        options += &format!(":{}={value}", key.replace('-', "_"));
        Ok(())
    };
    let (mut library, mut survive, mut live, mut asked) = (None, false, false, None);
    let (mut preload, mut address) = (true, None);
    loop {
        let argument = parser.next().map_err(|error| error.to_string())?;
        let Some(argument) = argument else {
            let asked = asked.ok_or("which program?")?;
            return Ok(if live { Command::Live(asked) } else { Command::Ask(asked, address) });
        };
        match argument {
            Long("help") | Short('h') => say_and_end(HELP),
            Long("version") => {
                say_and_end(concat!("kref-track ", env!("CARGO_PKG_VERSION"), "\n"));
            }
            Long("judge-for") => {
                let mut rest = parser.raw_args().map_err(|error| error.to_string())?;
                let mut next = || rest.next().unwrap_or_default();
                return Ok(Command::JudgeFor([next(), next(), next()]));
            }
            Short('p') => {
                let pid = value(&mut parser)?;
                let number = pid.to_str().and_then(|pid| pid.parse().ok());
                asked = Some(number.ok_or("-p: it is the number of a process")?);
            }
            Long(flag @ ("chaos" | "summary" | "stale-handles" | "keep-freed" | "lossy")) => {
                add(flag, "1".into())?
            }
            Long("live") => {
                live = true;
                add("live", "1".into())?;
            }
            Long("survive") => survive = true,
            Long("no-preload") => preload = false,
            Long("address") => address = Some(address_of(&value(&mut parser)?)?),
            Long("library") => library = Some(value(&mut parser)?.into()),
            Long(key) => {
                let key = key.to_string();
                let known = Options::parse(&key.replace('-', "_"));
                if known.is_err_and(|mistake| mistake.starts_with("unknown")) {
                    return Err(format!("unknown option --{key}"));
                }
                add(&key, value(&mut parser)?)?;
            }
            Value(program) => {
                let mut arguments: Vec<_> =
                    parser.raw_args().map_err(|error| error.to_string())?.collect();
                let mut parsed = Options::parse(&options)?;
                parsed.address = address;
                if is_report(&program, &arguments) {
                    return Ok(Command::Report(parsed, arguments.remove(0).into()));
                }
                if address.is_some() {
                    return Err("--address: only with -p PID or report FILE".into());
                }
                return Ok(Command::Run(run::Program {
                    text: options,
                    options: parsed,
                    library,
                    survive,
                    preload,
                    program,
                    arguments,
                }));
            }
            Short(other) => return Err(format!("unknown option -{other}")),
        }
    }
}

/// Whether the words are `report FILE`, and not a program of that name.
fn is_report(program: &OsStr, arguments: &[OsString]) -> bool {
    program == "report" && arguments.len() == 1
}

/// `0x5000`, or a decimal number.
fn address_of(text: &OsStr) -> Result<u64, String> {
    let number = text.to_str().and_then(|text| match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    });
    number.ok_or(format!("--address {}: it is the address of a count, as 0x5000", text.display()))
}

fn value(parser: &mut lexopt::Parser) -> Result<OsString, String> {
    parser.value().map_err(|error| error.to_string())
}

fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn say_and_end(text: &str) -> ! {
    say(text);
    std::process::exit(0)
}
