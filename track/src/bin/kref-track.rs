//! Runs a program with its references tracked.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

#[path = "../clock.rs"]
#[expect(dead_code, reason = "needed by the options")]
mod clock;
#[path = "../options.rs"]
#[expect(dead_code, reason = "here they are only looked at, to tell of mistakes")]
mod options;

const HELP: &str = "\
kref-track - names the code that took references which nobody gave back

usage: kref-track [options] PROGRAM [arguments]

Runs a program that uses libkref, and records its references. When the program exits, kref-track writes a
report to standard error: the references that are still held, by type, by holder, and by the stack of the
get that took them. It reports misuse at once: a get or put on a released object, with the stacks of the
call, of the put that released the object and of the call that created it; a second kref_init() on a live
object; memory that was freed or reused while somebody held a reference; a put by a holder that holds no
reference. If there is nothing to report, kref-track prints nothing. The exit status is the program's.

  --filter GLOB         report an object only if GLOB matches its type's name (or its release function's),
                        or a function or a file in the stack that created the object: 'session_*',
                        '*server.c'
  --object N            print each get and put of the Nth object that is created, with time, thread, count
                        and stack. If several threads create objects, N is another object in the next run

  --chaos               delay threads around each get and put, so that races become likely. A report has
                        the seed
  --seed N              make the same delays again

  --format text|json    json: one value in a line; share/kref/report.schema.json describes it
  --flamegraph FILE     draw the references that are held at exit, if any, as an SVG for a browser
  --log-path FILE       write reports to FILE; %p becomes the number of the process
  --exitcode N          exit with N, from 1 to 255, if anything was found
  --signal USR1         report the held references when this signal comes (USR1, USR2, HUP, PROF, WINCH)
  --stale-handles       count the lookups by handle that find no object in their pool, and report them at exit,
                        by stack
  --summary             write one line at exit in any case

  --depth N             keep N frames of each stack (16; at most 64)
  --sample 1/N          track one object in N
  --max-memory MB       limit the memory for the table (1024); a report says what was dropped
  --keep-freed          delay each free() that a release function calls, so that a later get or put is
                        always found. Not for programs with AddressSanitizer
  --library FILE        libkref_track.so, if it is not in kref/ beside this command or in ../lib/kref

  --help, --version

A program that calls kref_track_checkpoint() limits later reports to references that were taken after the
call. kref_track_report(fd) writes a report at any time. Without this command,
KREF_OPTIONS=track=1:depth=8:summary=1 does the same: the names are those above, with _ for -.
KREF_TRACK_LIBRARY=FILE stands for --library.

Compile the program with -g (or -g1, also with -O2). Without it a report has addresses in place of lines and
no inlined functions, and may name another get of the same function.

A get or put on a released object is found only if free() did not overwrite the count. free() overwrites
the first bytes of the memory, so the count of a kref that is the first member is lost. --keep-freed finds
these cases, too.

To find the get that a put undoes, kref-track compares the holder's name; without a name, the functions in
the two stacks: the put's own function first, then its caller, and so on. If the get is still not certain,
the report says so, and has the number of gets and puts at each call site.

example: kref-track --filter 'session_*' --flamegraph held.svg ./server --port 8080
";

fn main() -> ExitCode {
    match Arguments::read().and_then(run) {
        Ok(code) => code,
        Err(mistake) => {
            eprintln!("kref-track: {mistake} (kref-track --help has all options)");
            ExitCode::from(2)
        }
    }
}

/// The command line.
struct Arguments {
    options: String,
    library: Option<PathBuf>,
    keep_freed: bool,
    program: OsString,
    arguments: Vec<OsString>,
}

impl Arguments {
    fn read() -> Result<Self, String> {
        use lexopt::prelude::*;
        let mut parser = lexopt::Parser::from_env();
        let (mut options, mut library, mut keep_freed) = (String::new(), None, false);
        let mut add = |key: &str, value: OsString| -> Result<(), String> {
            let value = value.into_string().map_err(|_| format!("--{key}: not UTF-8"))?;
            if value.contains(':') {
                return Err(format!("--{key} {value}: a colon cannot be passed on"));
            }
            options += &format!(":{}={value}", key.replace('-', "_"));
            Ok(())
        };
        loop {
            let argument = parser.next().map_err(|error| error.to_string())?;
            match argument.ok_or("which program?")? {
                Long("help") | Short('h') => say_and_end(HELP),
                Long("version") => {
                    say_and_end(concat!("kref-track ", env!("CARGO_PKG_VERSION"), "\n"));
                }
                Long(flag @ ("chaos" | "summary" | "stale-handles")) => add(flag, "1".into())?,
                Long("keep-freed") => {
                    keep_freed = true;
                    add("keep_freed", "1".into())?;
                }
                Long("library") => library = Some(value(&mut parser)?.into()),
                Long(key) => {
                    let key = key.to_string();
                    let known = options::Options::parse(&key.replace('-', "_"));
                    if known.is_err_and(|mistake| mistake.starts_with("unknown")) {
                        return Err(format!("unknown option --{key}"));
                    }
                    add(&key, value(&mut parser)?)?;
                }
                Value(program) => {
                    let arguments = parser.raw_args().map_err(|error| error.to_string())?.collect();
                    options::Options::parse(&options)?;
                    return Ok(Self { options, library, keep_freed, program, arguments });
                }
                Short(other) => return Err(format!("unknown option -{other}")),
            }
        }
    }
}

fn value(parser: &mut lexopt::Parser) -> Result<OsString, String> {
    parser.value().map_err(|error| error.to_string())
}

fn say_and_end(text: &str) -> ! {
    let _ = std::io::stdout().write_all(text.as_bytes());
    std::process::exit(0)
}

fn run(arguments: Arguments) -> Result<ExitCode, String> {
    let library = match &arguments.library {
        Some(file) => file.clone(),
        None => find_library()?,
    };
    let started = Started::new();
    let mut options = format!("track=1{}{}", arguments.options, started.option());
    if let Ok(before) = std::env::var("KREF_OPTIONS")
        && !before.is_empty()
    {
        options = format!("{before}:{options}");
    }
    let mut command = Command::new(&arguments.program);
    command.args(&arguments.arguments);
    command.env("KREF_OPTIONS", options).env("KREF_TRACK_LIBRARY", &library);
    if arguments.keep_freed {
        command.env("LD_PRELOAD", preload(&library));
    }
    let name = arguments.program.display();
    forward_signals();
    let mut child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
    CHILD.store(child.id() as i32, Relaxed);
    let status = child.wait().map_err(|error| error.to_string())?;
    if !started.happened() {
        eprintln!(
            "kref-track: {name} was not tracked: it did not start, uses no libkref that can track, or \
             is setuid or linked with -static"
        );
    }
    Ok(pass_on(status, &name.to_string()))
}

/// The program's status as ours. A signal that ended it ends us, too.
fn pass_on(status: ExitStatus, name: &str) -> ExitCode {
    if let Some(signal) = status.signal() {
        // A use of freed memory often ends so.
        let hint = match signal {
            libc::SIGSEGV | libc::SIGBUS | libc::SIGABRT => {
                "; --keep-freed finds puts on freed objects"
            }
            _ => "",
        };
        eprintln!(
            "kref-track: {name} was ended by signal {signal}: there is no report of its exit{hint}"
        );
        // SAFETY: the signal gets its default action back, and no core of ours is wanted.
        unsafe {
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::setrlimit(libc::RLIMIT_CORE, &none);
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
        return ExitCode::from(128 + signal as u8);
    }
    ExitCode::from(status.code().unwrap_or(1) as u8)
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

fn preload(library: &Path) -> OsString {
    let mut preload = library.as_os_str().to_os_string();
    if let Some(before) = std::env::var_os("LD_PRELOAD") {
        preload.push(":");
        preload.push(before);
    }
    preload
}

/// A file in which the tracker notes that it was started.
struct Started(Option<PathBuf>);

impl Started {
    fn new() -> Self {
        let name = format!("kref-track.{}.{}", std::process::id(), clock::exactly());
        let path = std::env::temp_dir().join(name);
        let usable = !path.to_string_lossy().contains(':');
        Self((usable && std::fs::File::create_new(&path).is_ok()).then_some(path))
    }

    fn option(&self) -> String {
        self.0.as_ref().map_or(String::new(), |path| format!(":started={}", path.display()))
    }

    fn happened(&self) -> bool {
        let size = |path: &PathBuf| std::fs::metadata(path).map_or(1, |data| data.len());
        self.0.as_ref().is_none_or(|path| size(path) > 0)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

static CHILD: AtomicI32 = AtomicI32::new(0);

/// What somebody sends to us is meant for the program.
fn forward_signals() {
    for signal in
        [libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2, libc::SIGINT, libc::SIGQUIT]
    {
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
