//! Programs whose debug information is in a file of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use kref_c_tests::kref_track::{compile, contains, kref_track};
use kref_c_tests::{Compiler, Finished, folder, plain, printed, run, unless_missing};
use libtest_mimic::Trial;

use super::here;

pub fn tests() -> Vec<Trial> {
    vec![
        plain("debug-file-by-link", by_link),
        plain("debug-file-of-another-version", of_another_version),
        plain("debug-file-by-build-id", by_build_id),
        plain("debug-file-in-the-cache-of-debuginfod", in_the_cache),
        plain("debug-file-of-a-trace", of_a_trace),
        plain("debug-information-in-dwo-files", in_dwo_files),
        Trial::ignorable_test("debug-information-that-files-share", || {
            unless_missing(need_dwz(), |()| {
                shared();
                Ok(())
            })
        }),
    ]
}

/// A stripped program, and the file with its debug information.
struct Split {
    folder: PathBuf,
    program: PathBuf,
    debug: PathBuf,
}

impl Split {
    fn new(name: &str, flag: &str) -> Self {
        let folder = folder(&format!("debug-file-{name}"));
        let (program, debug) = (folder.join("program"), folder.join("program.debug"));
        let whole = compile(Compiler::any(), "tracker/reports/inlined", &["-O2", flag]);
        std::fs::copy(whole, &program).expect("a copy");
        objcopy(&["--only-keep-debug"], &[&program, &debug]);
        objcopy(&["--strip-all"], &[&program]);
        Self { folder, program, debug }
    }

    /// The program names its debug file, and says its checksum.
    fn linked(name: &str) -> Self {
        let split = Self::new(name, "-Wl,--build-id=none");
        objcopy(&[&format!("--add-gnu-debuglink={}", split.debug.display())], &[&split.program]);
        split
    }

    fn with_id(name: &str) -> Self {
        Self::new(name, "-Wl,--build-id")
    }

    fn id(&self) -> String {
        let notes = printed(Command::new("readelf").arg("-n").arg(&self.program));
        let id = notes.lines().find_map(|line| line.trim().strip_prefix("Build ID: "));
        id.expect("a build-id").to_string()
    }

    /// Where the debug file is below a folder as /usr/lib/debug.
    fn place(&self) -> String {
        let id = self.id();
        format!("root/.build-id/{}/{}.debug", &id[..2], &id[2..])
    }

    /// Moves the debug file to a path below the test's folder.
    fn install(&self, path: impl AsRef<Path>) {
        let path = self.folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::rename(&self.debug, path).expect("the same file system");
    }

    /// A path below the test's folder, for an option.
    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn run(&self, options: &[&str]) -> Finished {
        run(kref_track(options).arg(&self.program))
    }
}

fn objcopy(options: &[&str], files: &[&PathBuf]) {
    printed(Command::new("objcopy").args(options).args(files));
}

fn has_lines(ended: &Finished) {
    contains(ended, &["    keep ", &here("reports/inlined"), "    main "]);
    assert!(!ended.output.contains("checksum"), "{}", ended.output);
}

fn has_no_lines(ended: &Finished) {
    contains(ended, &["1 reference, on object #1", "    program+0x"]);
    assert!(!ended.output.contains("inlined.c:"), "{}", ended.output);
}

fn by_link() {
    let beside = Split::linked("link");
    has_lines(&beside.run(&[]));
    beside.install(".debug/program.debug");
    has_lines(&beside.run(&[]));
    let root = Split::linked("root");
    let inside = root.folder.strip_prefix("/").expect("an absolute path").join("program.debug");
    root.install(Path::new("root").join(inside));
    has_no_lines(&root.run(&[]));
    has_lines(&root.run(&["--debug-dir", &root.path("root")]));
}

/// Its lines would be wrong ones.
fn of_another_version() {
    let split = Split::linked("wrong");
    let mut bytes = std::fs::read(&split.debug).expect("the debug file");
    bytes.push(0);
    std::fs::write(&split.debug, bytes).expect("the debug file");
    let ended = split.run(&["--object", "1"]);
    has_no_lines(&ended);
    let warning = format!(
        "kref-track: {} has no lines: {} is the debug file of another version, its checksum is wrong\n",
        split.program.display(),
        split.debug.display()
    );
    assert_eq!(ended.output.matches(&warning).count(), 1, "{warning} in\n{}", ended.output);
}

fn by_build_id() {
    let split = Split::with_id("id");
    has_no_lines(&split.run(&[]));
    let place = split.place();
    split.install(&place);
    has_no_lines(&split.run(&[]));
    has_lines(&split.run(&["--debug-dir", &split.path("root")]));
    // A file of that name that is another program's.
    std::fs::copy("/proc/self/exe", split.folder.join(place)).expect("a copy");
    has_no_lines(&split.run(&["--debug-dir", &split.path("root")]));
}

fn in_the_cache() {
    let split = Split::with_id("cache");
    split.install(format!("cache/debuginfod_client/{}/debuginfo", split.id()));
    let run_with = |name: &str, path: &str| {
        let mut command = kref_track(&[]);
        for other in ["DEBUGINFOD_CACHE_PATH", "XDG_CACHE_HOME"] {
            command.env_remove(other);
        }
        run(command.env("HOME", "/nonexistent").env(name, split.path(path)).arg(&split.program))
    };
    has_lines(&run_with("XDG_CACHE_HOME", "cache"));
    has_lines(&run_with("DEBUGINFOD_CACHE_PATH", "cache/debuginfod_client"));
    has_no_lines(&run_with("DEBUGINFOD_CACHE_PATH", "cache"));
}

/// The trace was written without the debug file, which is there when the report is made.
fn of_a_trace() {
    let split = Split::with_id("trace");
    let trace = split.path("program.trace");
    has_no_lines(&split.run(&["--trace", &trace]));
    split.install(split.place());
    let debug = ["--debug-dir", &split.path("root")];
    has_lines(&run(kref_track(&debug).arg("report").arg(trace)));
}

fn need_dwz() -> Result<(), String> {
    let has_dwz = Command::new("dwz").arg("--version").output().is_ok();
    if has_dwz { Ok(()) } else { Err("no dwz on this machine".into()) }
}

/// dwz moves what two debug files have in common to a third file, to which both have a link.
fn shared() {
    let split = Split::with_id("shared");
    let (other, common) = (split.folder.join("other.debug"), split.folder.join("common.debug"));
    std::fs::copy(&split.debug, &other).expect("a copy");
    let mut dwz = Command::new("dwz");
    dwz.arg("-m").arg(&common).arg("-M").arg(&common).args([&split.debug, &other]);
    printed(&mut dwz);
    let sections = printed(Command::new("readelf").arg("-SW").arg(&split.debug));
    assert!(sections.contains(".gnu_debugaltlink"), "{sections}");
    split.install(split.place());
    let debug = ["--debug-dir", &split.path("root")];
    has_lines(&split.run(&debug));
    // The names are in the shared file.
    std::fs::remove_file(&common).expect("our file");
    let ended = split.run(&debug);
    contains(&ended, &["1 reference, on object #1"]);
    assert!(!ended.output.contains("    keep "), "{}", ended.output);
}

/// A file for each source file, which the program names.
fn in_dwo_files() {
    let flags = ["-O2", "-gsplit-dwarf"];
    has_lines(&run(kref_track(&[]).arg(compile(
        Compiler::any(),
        "tracker/reports/inlined",
        &flags,
    ))));
}
