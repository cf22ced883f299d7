//! What a program may do or have is less than usual: system calls are refused, memory and files limited, /proc is not
//! there. The program ends as it would untracked, and kref-track says what it could not record.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kref_c_tests::kref_track::{compile, contains, kref_track, track};
use kref_c_tests::{Compiler, Finished, plain, program, run, scratch, unless_missing};
use libtest_mimic::Trial;

pub fn tests() -> Vec<Trial> {
    let mut tests = vec![
        plain("memory-is-limited", memory_is_limited),
        plain("room-for-few-threads", few_threads),
        plain("files-are-limited", files_are_limited),
        plain("root-and-rights-are-given-up", rights_are_given_up),
        plain("a-report-to-a-closed-pipe", closed_pipe),
        plain("standard-error-is-a-closed-pipe", closed_standard_error),
        Trial::ignorable_test("no-proc", || unless_missing(may_unmount(), |()| no_proc())),
    ];
    for answer in ANSWERS {
        let name = |when: &str| format!("a-call-is-answered-by-{answer}-{when}");
        let test = |how| move || refused(answer, how);
        tests.push(Trial::test(name("after-the-start"), test(How::After)));
        tests.push(Trial::test(name("before-the-start"), test(How::Before)));
        tests.push(Trial::test(name("before-the-start-of-its-own-judge"), test(How::OwnJudge)));
    }
    tests
}

const ANSWERS: [&str; 3] = ["KILL", "EPERM", "ENOSYS"];

/// The system calls that the recorder makes, at its start or later, as strace shows them, and some that an earlier
/// tracker made. `KREF_ALL_CALLS=1` tries each number.
const CALLS: [libc::c_long; 29] = [
    libc::SYS_openat,
    libc::SYS_newfstatat,
    libc::SYS_fstat,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_close,
    libc::SYS_prctl,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_clock_gettime,
    libc::SYS_faccessat,
    libc::SYS_pipe2,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_execve,
    libc::SYS_wait4,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_process_vm_readv,
    libc::SYS_exit_group,
];

fn calls() -> Vec<libc::c_long> {
    match std::env::var_os("KREF_ALL_CALLS") {
        Some(_) => (0..470).collect(),
        None => CALLS.to_vec(),
    }
}

/// A program of attacks/ that is not linked with libkref.
fn helper(name: &str) -> PathBuf {
    let helper = scratch().join("tracked").join(name);
    let source = kref_c_tests::c_tests().join(format!("tracker/attacks/{name}.c"));
    std::fs::create_dir_all(helper.parent().expect("a folder")).expect("target can be written");
    // Tests that run at the same time build it each under a name of its own.
    let own = helper.with_extension(format!("{:?}", std::thread::current().id()));
    let compiled = run(Compiler::any().command().args(["-O1", "-o"]).arg(&own).arg(source));
    assert!(compiled.success, "{}", compiled.output);
    own
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    /// The program's main() asks for the filter.
    After,
    /// The program is started under the filter.
    Before,
    /// The same, and the program starts its judge itself.
    OwnJudge,
}

/// What no tracker could do otherwise.
fn left_out(call: libc::c_long, answer: &str, use_of: &str, how: How) -> bool {
    match call {
        // The other thread would spin for ever.
        libc::SYS_exit_group => use_of == "quiet" && answer != "KILL",
        // The program's threads wait for each other or not, as it happens.
        libc::SYS_futex => use_of == "busy",
        // An untracked program makes these calls in its slots and percpu_refs, and is killed. A tracked program does not make
        // them, so it goes on.
        libc::SYS_membarrier | libc::SYS_sched_getaffinity => {
            use_of == "busy" && answer == "KILL" && how != How::OwnJudge
        }
        // The recorder asks by it which pages of a thread's or a handler's stack it may read, unless it knows of the
        // filter. pthread_create(), raise() and abort() make this call, too: under few filters that forbid it a program
        // has threads or handlers.
        libc::SYS_rt_sigprocmask => use_of != "busy" && answer == "KILL" && how == How::After,
        // Without a judge only the program can say why nothing is tracked.
        libc::SYS_write => how == How::OwnJudge,
        _ => false,
    }
}

/// Each call is refused, in a run of its own.
fn refused(answer: &str, how: How) -> Result<(), libtest_mimic::Failed> {
    let filtered = compile(Compiler::any(), "tracker/attacks/filtered", &["-O1"]);
    let plugin = compile(Compiler::any(), "tracker/attacks/plugin", &["-shared", "-fPIC"]);
    let starter = helper("start-filtered");
    let mut failures = Vec::new();
    for call in calls() {
        for use_of in ["quiet", "alone", "busy"] {
            if left_out(call, answer, use_of, how) {
                continue;
            }
            let number = call.to_string();
            let arguments = |command: &mut Command| {
                if how == How::After {
                    command.arg(&filtered).args([use_of, &number, answer]);
                } else {
                    command.arg(&starter).args([&number, answer]).arg(&filtered).arg(use_of);
                }
                command.env("PLUGIN", &plugin);
            };
            // `env` does nothing here.
            let mut untracked = Command::new("env");
            arguments(&mut untracked);
            let untracked = run(&mut untracked);
            let mut tracked =
                if how == How::OwnJudge { Command::new("env") } else { kref_track(&[]) };
            arguments(&mut tracked);
            if how == How::OwnJudge {
                tracked.env("KREF_OPTIONS", "track=1");
            }
            let tracked = run(&mut tracked);
            let is_same = (tracked.status, tracked.signal) == (untracked.status, untracked.signal);
            let is_told = !untracked.success || is_reported(&tracked);
            if !is_same || !is_told {
                failures.push(format!("{use_of}, call {call}: {tracked:?}, not {untracked:?}\n"));
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.concat().into()) }
}

/// The reference that is held at the end is reported, or it is said that nothing was recorded.
fn is_reported(ended: &Finished) -> bool {
    let said = ["of \"kept\"", "not tracked", "nothing is tracked", "not recorded"];
    said.iter().any(|said| ended.output.contains(said))
}

/// The command under a limit: start-limited RESOURCE BYTES PROGRAM.
fn limited(command: &mut Command, resource: &str, bytes: u64) {
    command.arg(helper("start-limited")).args([resource, &bytes.to_string()]);
}

/// The address space that a program needs untracked.
fn needed(program: &Path) -> u64 {
    let is_enough = |bytes: u64| {
        let mut untracked = Command::new("env");
        limited(&mut untracked, "as", bytes);
        run(untracked.arg(program).arg("quiet")).success
    };
    let (mut little, mut enough) = (0, 1 << 30);
    assert!(is_enough(enough));
    while enough - little > 256 << 10 {
        let middle = (little + enough) / 2;
        *if is_enough(middle) { &mut enough } else { &mut little } = middle;
    }
    enough
}

/// 8 MB more than the program needs untracked.
fn memory_is_limited() {
    let filtered = compile(Compiler::any(), "tracker/attacks/filtered", &["-O1"]);
    let enough = needed(&filtered);
    let mut tracked = kref_track(&[]);
    limited(&mut tracked, "as", enough + (8 << 20));
    let ended = run(tracked.arg(&filtered).arg("quiet"));
    assert!(ended.success, "{enough}: {ended:?}");
    contains(&ended, &["of \"kept\""]);
}

/// Under some limits of memory there is room for more rings of threads than for states of threads.
fn few_threads() {
    const STEP: usize = 96 << 10;
    let program = compile(Compiler::any(), "tracker/attacks/owned-rings", &["-O1"]);
    let enough = needed(&program);
    for more in (1 << 20..8 << 20).step_by(STEP) {
        let mut tracked = kref_track(&[]);
        limited(&mut tracked, "as", enough + more);
        let ended = run(tracked.arg(&program));
        assert!(ended.success, "{more}: {ended:?}");
    }
}

/// Neither program nor judge is ended by SIGXFSZ.
fn files_are_limited() {
    let filtered = compile(Compiler::any(), "tracker/attacks/filtered", &["-O1"]);
    let mut tracked = kref_track(&[]);
    limited(&mut tracked, "fsize", 0);
    let ended = run(tracked.arg(&filtered).arg("busy"));
    assert!(ended.success, "{ended:?}");
    contains(&ended, &["of \"kept\""]);
    let mut tracked = Command::new("env");
    limited(&mut tracked, "fsize", 0);
    let ended = run(tracked.arg(&filtered).arg("busy").env("KREF_OPTIONS", "track=1"));
    assert!(ended.success && is_reported(&ended), "{ended:?}");
}

fn rights_are_given_up() {
    // SAFETY: no argument.
    if unsafe { libc::geteuid() } != 0 {
        return; // chroot() is for root
    }
    let ended = track("attacks/gives-up-rights", &[], &[]);
    assert!(ended.success, "{ended:?}");
    contains(&ended, &["2 references on 1 object are still held at exit", "of \"late\""]);
}

fn closed_pipe() {
    let ended = track("attacks/closed-pipe", &[], &[]);
    assert!(ended.success && ended.output.is_empty(), "{ended:?}");
}

/// What cannot be told ends nothing.
fn closed_standard_error() {
    let filtered = compile(Compiler::any(), "tracker/attacks/filtered", &["-O1"]);
    for mut command in [kref_track(&[]), Command::new("env")] {
        let own_judge = command.get_program() == "env";
        command.arg(&filtered).arg("quiet").stderr(Stdio::piped());
        if own_judge {
            command.env("KREF_OPTIONS", "track=1");
        }
        let mut tracked = command.spawn().expect("it starts");
        drop(tracked.stderr.take());
        let status = tracked.wait().expect("its end");
        assert!(status.success(), "{status}");
    }
}

fn may_unmount() -> Result<(), String> {
    let tried = run(program(&helper("start-limited")).args(["proc", "0", "/bin/true"]));
    if tried.success { Ok(()) } else { Err("no new mount namespace for this user".into()) }
}

/// The recorder cannot open the memory, so nothing is tracked.
fn no_proc() -> Result<(), String> {
    let filtered = compile(Compiler::any(), "tracker/attacks/filtered", &["-O1"]);
    let mut tracked = kref_track(&[]);
    limited(&mut tracked, "proc", 0);
    let ended = run(tracked.arg(&filtered).arg("busy"));
    assert!(ended.success && is_reported(&ended), "{ended:?}");
    let mut own_judge = Command::new("env");
    limited(&mut own_judge, "proc", 0);
    let ended = run(own_judge.arg(&filtered).arg("busy").env("KREF_OPTIONS", "track=1"));
    assert!(ended.success && is_reported(&ended), "{ended:?}");
    Ok(())
}
