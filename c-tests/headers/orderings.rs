//! Weakens the headers at one place after the other: ThreadSanitizer must miss each ordering and each announcement.

use std::process::Command;

use kref_c_tests::{Compiler, Finished, Prefix, Sanitizer, c_tests, printed, run};

use super::{folder, include, read};

/// Makes each ordering of inline.h and of linux/refcount.h relaxed; ThreadSanitizer must report a race. The
/// unchanged header is the counter-check: there ThreadSanitizer must report nothing.
pub fn every_ordering_is_needed(compiler: Compiler) {
    // For each use of an ordering, the program that needs it.
    let pool = "headers/run-tsan-announced-pool";
    every_ordering(
        compiler,
        "kref/inline.h",
        [
            ("__ATOMIC_SEQ_CST", &[]),
            ("__ATOMIC_RELEASE", &["handoff/run-thread"]),
            ("__ATOMIC_ACQUIRE", &["handoff/run-thread", "kref/run-many", pool, pool]),
        ],
    );
    let program = "kref/run-oldp-threads";
    every_ordering(
        compiler,
        "kref/linux/refcount.h",
        [
            ("__ATOMIC_SEQ_CST", &[]),
            ("__ATOMIC_RELEASE", &[program]),
            ("__ATOMIC_ACQUIRE", &[program, program]),
        ],
    );
}

fn every_ordering(compiler: Compiler, header: &str, uses: [(&str, &[&str]); 3]) {
    let text = read(include().join(header));
    for (ordering, programs) in uses {
        let places: Vec<usize> = text.match_indices(ordering).map(|(place, _)| place).collect();
        assert_eq!(places.len(), programs.len(), "{header}'s use of {ordering}");
        for (place, program) in places.into_iter().zip(programs) {
            let (before, rest) = text.split_at(place);
            let weak = format!("{before}__ATOMIC_RELAXED{}", &rest[ordering.len()..]);
            let ended = with_header(compiler, header, &weak, program, Sanitizer::Thread.flags());
            assert!(ended.output.contains(RACE), "{ordering} of {program}:\n{}", ended.output);
        }
    }
    for program in uses.iter().flat_map(|(_, programs)| programs.iter()) {
        let ended = with_header(compiler, header, &text, program, Sanitizer::Thread.flags());
        assert!(ended.success, "{program}:\n{}", ended.output);
    }
}

const RACE: &str = "ThreadSanitizer: data race";

/// Runs a program of c-tests, compiled with `text` in place of one header. The library is not instrumented.
pub fn with_header(
    compiler: Compiler,
    header: &str,
    text: &str,
    name: &str,
    flags: &[&str],
) -> Finished {
    let weak = folder("weak").join(header).join(compiler.kind().name());
    std::fs::create_dir_all(&weak).unwrap();
    let all = [include().join("kref.h"), include().join("kref")];
    printed(Command::new("cp").arg("-r").args(all).arg(&weak));
    std::fs::write(weak.join(header), text).unwrap();

    let program = weak.join("program");
    let mut compile = compiler.command();
    compile.args(flags).arg("-I").arg(&weak).arg("-I").arg(c_tests().join("harness"));
    compile.arg(format!("-DDATA=\"{}\"", c_tests().join("data").display()));
    compile.arg(c_tests().join(name).with_extension("c"));
    compile.arg(Prefix::plain().archive()).arg("-pthread").arg("-o").arg(&program);
    let compiled = run(&mut compile);
    assert!(compiled.success, "{}", compiled.output);
    run(kref_c_tests::program(&program).env("TSAN_OPTIONS", "halt_on_error=1"))
}

/// Takes one announcement out of tsan.h after the other; ThreadSanitizer must report a race each
/// time. An announcement is a call that tells ThreadSanitizer of an ordering, or a macro that
/// replaces a function by one that makes such a call. Nothing is inlined, so ThreadSanitizer knows
/// nothing about the count but the announcements.
pub fn every_announcement_of_tsan_h_is_needed(compiler: Compiler) {
    let header = read(include().join("kref/tsan.h"));
    let lines: Vec<&str> = header.lines().collect();
    let mut taken_out = 0;
    for (number, line) in lines.iter().enumerate() {
        let Some(silent) = without_announcement(line) else { continue };
        // Without restartable sequences a slot's get takes a lock, and ThreadSanitizer sees the
        // lock.
        if line.contains("slot") && !kref::rseq_available() {
            continue;
        }
        let weak = [&lines[..number], &[&silent], &lines[number + 1..]].concat().join("\n");
        // The program first that the line's function is of.
        let mut programs = ["", "-percpu", "-pool"];
        programs.sort_by_key(|of| of.is_empty() || !line.contains(&of[1..]));
        let told = programs.iter().any(|of| {
            let program = format!("headers/run-tsan-announced{of}");
            let out_of_line = ["-DKREF_NO_INLINE", "-Dunannounced(verdict,count)=(verdict)"];
            let flags = [Sanitizer::Thread.flags(), &out_of_line].concat();
            let ended = with_header(compiler, "kref/tsan.h", &weak, &program, &flags);
            ended.output.contains(RACE)
        });
        assert!(told, "no race without line {} of tsan.h: {line}", number + 1);
        taken_out += 1;
    }
    assert!(taken_out >= 37, "only {taken_out} announcements found in tsan.h");
}

/// A line of tsan.h without its announcement, if the line has one.
fn without_announcement(line: &str) -> Option<String> {
    let gives_name = line.starts_with("#define ") && line.contains(") kref_tsan_");
    if gives_name {
        return Some(String::new());
    }
    let announcements = [
        ("__tsan_acquire(", "(void)("),
        ("__tsan_release(", "(void)("),
        ("kref_tsan_acquire_if(", "unannounced("),
    ];
    let in_body = line.starts_with("    ");
    let found = announcements.iter().find(|(word, _)| in_body && line.contains(word))?;
    Some(line.replace(found.0, found.1))
}
