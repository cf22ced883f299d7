//! Uses an installed libkref as a C program would use it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use kref_c_tests::{
    Compiler, Prefix, c_tests, folder, is_quick, make_in, per_compiler, plain, printed, project,
    scratch, soname, track_soname, version,
};
use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut trials = vec![
        plain(
            "the_shared_library_is_small_and_needs_libc_alone",
            the_shared_library_is_small_and_needs_libc_alone,
        ),
        plain("it_is_hardened", it_is_hardened),
        plain("two_places_build_the_same", two_places_build_the_same),
        plain("nothing_names_the_builder", nothing_names_the_builder),
        plain("nothing_in_it_can_panic", nothing_in_it_can_panic),
        plain("a_setuid_program_ignores_the_environment", a_setuid_program_ignores_the_environment),
        plain("links_and_versions_agree", links_and_versions_agree),
        plain(
            "a_program_builds_with_pkg_config_and_runs",
            a_program_builds_with_pkg_config_and_runs,
        ),
        plain("a_static_program_builds_and_runs", a_static_program_builds_and_runs),
        plain("kref_pc_names_what_the_archive_needs", kref_pc_names_what_the_archive_needs),
        plain("links_beside_another_rust_library", links_beside_another_rust_library),
        plain("the_readme_example_compiles_unchanged", the_readme_example_compiles_unchanged),
        plain("the_event_loops_of_the_pages_compile", the_event_loops_of_the_pages_compile),
    ];
    trials.extend(per_compiler("kernel_code", Compiler::need, kernel_code_compiles_unchanged));
    trials.extend(per_compiler("handles", Compiler::need, the_examples_of_handles_are_c_and_cpp));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn shared() -> PathBuf {
    Prefix::plain().lib().join("libkref.so")
}

fn the_shared_library_is_small_and_needs_libc_alone() {
    let dynamic = printed(Command::new("readelf").arg("-dW").arg(shared()));
    let needed: Vec<_> = dynamic.lines().filter(|line| line.contains("(NEEDED)")).collect();
    assert!(needed.len() == 1 && needed[0].contains("[libc.so.6]"), "{needed:?}");
    assert!(dynamic.contains(&format!("Library soname: [{}]", soname())), "{dynamic}");

    let stripped = folder("stripped").join("libkref.so");
    printed(Command::new("strip").arg("-o").arg(&stripped).arg(shared()));
    let size = std::fs::metadata(&stripped).unwrap().len();
    // 38,464 bytes without pools, 50,840 with them: the linker rounds the segments to pages of 4 KB.
    assert!(size <= 54 * 1024, "{size} bytes stripped");
}

fn it_is_hardened() {
    let read = |what: &str, library: &Path| printed(Command::new("readelf").arg(what).arg(library));
    let (segments, dynamic) = (read("-lW", &shared()), read("-dW", &shared()));
    let stack = segments.lines().find(|line| line.contains("GNU_STACK")).expect("GNU_STACK");
    assert!(stack.contains(" RW ") && segments.contains("GNU_RELRO"), "{segments}");
    assert!(dynamic.contains("NOW") && !dynamic.contains("TEXTREL"), "{dynamic}");
    if cfg!(target_arch = "x86_64") {
        for library in [shared(), Prefix::plain().archive()] {
            let notes = read("-nW", &library);
            assert!(notes.contains("SHSTK"), "{}: {notes}", library.display());
        }
    }
}

/// Copies the source to another place, whose path has another length, and builds libkref and its tracker there.
fn two_places_build_the_same() {
    const SOURCE: [&str; 10] = [
        "Cargo.toml",
        "Cargo.lock",
        "Makefile",
        "build.rs",
        "src",
        "c-tests",
        "bench",
        "track",
        "fuzz",
        "man",
    ];
    let copy = folder("reproducible").join("another/place");
    std::fs::create_dir_all(&copy).unwrap();
    let source = SOURCE.map(|name| project().join(name));
    printed(Command::new("cp").arg("-r").args(source).arg(&copy));
    let mut make = make_in(&copy);
    make.args(["TARGET_DIR=target", "OUT=out"]).env_remove("RUSTFLAGS");
    let tracker = format!("kref/{}", track_soname());
    let mut built = vec!["libkref.so", "libkref.a"];
    if is_quick() {
        make.arg("TRACK=no");
    } else {
        built.extend([&*tracker, "kref-track"]);
    }
    printed(&mut make);
    Prefix::plain();
    let here = scratch().join("plain/build/libkref");
    for file in built {
        let read = |folder: &Path| std::fs::read(folder.join(file)).unwrap();
        assert!(read(&here) == read(&copy.join("out")), "{file} differs");
    }
}

/// No path of the machine that has built the libraries and kref-track is in them.
fn nothing_names_the_builder() {
    let tracker = Prefix::plain().lib().join("kref").join(track_soname());
    let mut files = vec![shared(), Prefix::plain().archive()];
    if !is_quick() {
        files.extend([tracker, Prefix::plain().kref_track()]);
    }
    for file in files {
        let text = std::fs::read(&file).unwrap();
        for path in [project().to_path_buf(), cargo_home()] {
            let path = path.to_str().unwrap().as_bytes();
            let found = text.windows(path.len()).any(|window| window == path);
            assert!(!found, "{} is in {}", path.escape_ascii(), file.display());
        }
    }
}

fn cargo_home() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cargo");
    std::env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
}

fn nothing_in_it_can_panic() {
    for library in [shared(), Prefix::plain().archive()] {
        let all = printed(Command::new("nm").arg(&library));
        assert!(!all.contains("panic"), "{}:\n{all}", library.display());
    }
}

/// libkref reads the environment with secure_getenv() only, which finds nothing in a setuid
/// program.
fn a_setuid_program_ignores_the_environment() {
    let undefined = printed(Command::new("nm").args(["-D", "-u"]).arg(shared()));
    let names: Vec<_> = undefined
        .lines()
        .filter_map(|line| line.split_whitespace().last()?.split('@').next())
        .collect();
    assert!(names.contains(&"secure_getenv"), "{names:?}");
    assert!(
        !names.iter().any(|name| ["getenv", "environ", "__environ"].contains(name)),
        "{names:?}"
    );
}

fn links_and_versions_agree() {
    let version = version();
    let lib = Prefix::plain().lib();
    let link = |name: &str| std::fs::read_link(lib.join(name)).unwrap();
    assert_eq!(link("libkref.so"), PathBuf::from(soname()));
    assert_eq!(link(&soname()), PathBuf::from(format!("libkref.so.{version}")));
    for module in ["kref", "kref-linux"] {
        let says = Prefix::plain().flags(&["--modversion", module]);
        assert_eq!(says, [&*version], "{module}.pc");
    }
    let header = std::fs::read_to_string(Prefix::plain().include().join("kref.h")).unwrap();
    assert!(header.contains(&format!("#define KREF_VERSION \"{version}\"")), "kref.h's version");
}

/// Compiles `source` with these flags. Returns the path of the program.
fn compile(name: &str, source: &Path, flags: &[String]) -> PathBuf {
    let program = folder(name).join("program");
    let mut compile = Compiler::any().command();
    printed(compile.arg(source).args(flags).arg("-o").arg(&program));
    program
}

fn a_program_builds_with_pkg_config_and_runs() {
    let source = project().join("examples/handoff.c");
    let flags = Prefix::plain().flags(&["--cflags", "--libs", "kref"]);
    let program = compile("dynamic", &source, &flags);
    let said = printed(Command::new(&program).env("LD_LIBRARY_PATH", Prefix::plain().lib()));
    assert_eq!(said.matches("released exactly once").count(), 4, "{said}");
}

fn a_static_program_builds_and_runs() {
    let source = project().join("examples/handoff.c");
    let flags = Prefix::plain().flags(&["--static", "--cflags", "--libs", "kref"]);
    // GNU ld would warn of dlopen, which only the tracker needs.
    let flags = [&flags[..], &["-static".to_string(), "-Wl,--fatal-warnings".to_string()]].concat();
    let program = compile("static", &source, &flags);
    let said = printed(&mut Command::new(&program));
    assert_eq!(said.matches("released exactly once").count(), 4, "{said}");
    // The default violation handler also works in a program without a dynamic loader.
    let misuse = folder("static-misuse").join("misuse.c");
    let text =
        "#include <kref.h>\nint main(void) { struct kref k = KREF_INIT(0); kref_get(&k); }\n";
    std::fs::write(&misuse, text).unwrap();
    let program = compile("static-told", &misuse, &flags);
    let said = printed(&mut Command::new(&program));
    assert!(said.contains("get on a count of zero") && said.lines().count() == 1, "{said}");
    assert!(said.contains("/program+0x"), "{said}");
}

/// As cargo-c does, kref.pc lists each library that rustc names, also those that the compiler adds by itself.
fn kref_pc_names_what_the_archive_needs() {
    let mut link = Compiler::any().command();
    link.args(["-shared", "-nodefaultlibs", "-Wl,-z,defs", "-Wl,--whole-archive"]);
    link.arg(Prefix::plain().archive()).arg("-Wl,--no-whole-archive");
    let flags = Prefix::plain().flags(&["--static", "--libs", "kref"]);
    link.args(flags.iter().filter(|flag| *flag != "-lkref"));
    printed(link.arg("-lgcc").arg("-o").arg(folder("native-static-libs").join("library.so")));
}

fn links_beside_another_rust_library() {
    let folder = folder("two-rusts");
    let other = folder.join("other.rs");
    let text =
        "#[unsafe(no_mangle)]\npub extern \"C\" fn other() -> i32 { vec![1, 2].len() as i32 }\n";
    std::fs::write(&other, text).unwrap();
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition=2024", "--crate-type=staticlib", "-Cpanic=abort", "--out-dir"]);
    printed(rustc.arg(&folder).arg(&other));
    let main = folder.join("main.c");
    let text = "#include <kref.h>\nint other(void);\nstatic void r(struct kref *k) { (void)k; }\n\
        int main(void) { struct kref k; kref_init(&k); return kref_put(&k, r) + other() - 3; }\n";
    std::fs::write(&main, text).unwrap();
    let flags = [
        "-DKREF_NO_INLINE".to_string(),
        format!("-I{}", Prefix::plain().include().display()),
        Prefix::plain().archive().display().to_string(),
        folder.join("libother.a").display().to_string(),
        "-lpthread".into(),
        "-ldl".into(),
        "-lm".into(),
        "-lgcc_s".into(),
    ];
    printed(&mut Command::new(compile("two-rusts-program", &main, &flags)));
}

/// Kernel code compiles in each dialect that the kernel has used. queue.c and locks.c convert no void
/// pointers, so they compile as C++, too. locks.c is in two ports that have their own locks.
fn kernel_code_compiles_unchanged(compiler: Compiler) {
    let dialects = [["c", "gnu89"], ["c", "gnu11"], ["c", "gnu17"], ["c++", "c++17"]];
    let session = "session 7 released\n";
    let queue = "queue drained\nqueue drained\n";
    let locks = "entry 3 released\nentry 3 get 2\nentry 3 put 1\nentry 3 put 0\n";
    let port = [
        &format!("-I{}", c_tests().join("install/kernel/port").display()),
        "-DKREF_LINUX_MUTEX_HEADER=\"linux/mutex.h\"",
        "-DKREF_LINUX_SPINLOCK_HEADER=\"linux/spinlock.h\"",
    ];
    let wrapper = [
        &format!("-I{}", c_tests().join("install/kernel/wrapper").display()),
        "-DKREF_LINUX_MUTEX(m)=(&(m)->lock)",
        "-DKREF_LINUX_SPINLOCK(l)=(&(l)->lock)",
    ];
    for [language, dialect] in dialects {
        let is_c = language == "c";
        if is_c || compiler.speaks_cpp() {
            kernel_code(compiler, "queue", language, dialect, &[], queue);
            kernel_code(compiler, "locks", language, dialect, &port, locks);
            kernel_code(compiler, "locks", language, dialect, &wrapper, locks);
        }
        if is_c {
            kernel_code(compiler, "session", language, dialect, &[], session);
        }
    }
}

fn kernel_code(
    compiler: Compiler,
    name: &str,
    language: &str,
    dialect: &str,
    flags: &[&str],
    says: &str,
) {
    let program = folder(&format!("{name}-{}-{dialect}", compiler.kind().name())).join("program");
    let mut compile = compiler.command();
    compile.args(["-Wall", "-Wextra", "-Werror", "-x", language]).arg(format!("-std={dialect}"));
    compile.arg(c_tests().join(format!("install/kernel/{name}.c"))).arg("-o").arg(&program);
    compile.args(Prefix::plain().flags(&["--cflags", "kref-linux", "--libs", "kref"]));
    // The port's folders are the last ones, and still its headers come first.
    printed(compile.args(flags));
    let said = printed(Command::new(&program).env("LD_LIBRARY_PATH", Prefix::plain().lib()));
    assert_eq!(said, says, "{name} as {dialect}");
}

/// The programs in examples/handles, as a user builds them. io_uring.c says in its last line whether the kernel
/// allowed io_uring. Either is right, so the line is shown and not compared.
fn the_examples_of_handles_are_c_and_cpp(compiler: Compiler) {
    let dialects = [["c", "gnu11"], ["c++", "c++17"]];
    for [language, dialect] in dialects {
        if language == "c++" && !compiler.speaks_cpp() {
            continue;
        }
        for example in ["epoll", "timer", "observer", "io_uring"] {
            let name = format!("{example}-{}-{dialect}", compiler.kind().name());
            let program = folder(&name).join("program");
            let mut compile = compiler.command();
            compile.args(["-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-x", language]);
            compile.arg(format!("-std={dialect}"));
            compile.arg(project().join(format!("examples/handles/{example}.c"))).arg("-o");
            compile.arg(&program).args(Prefix::plain().flags(&["--cflags", "--libs", "kref"]));
            printed(&mut compile);
            let mut command = Command::new(&program);
            let said = printed(command.env("LD_LIBRARY_PATH", Prefix::plain().lib()));
            if example == "io_uring" {
                println!("{name}: {}", said.lines().last().expect("it says something"));
            }
        }
    }
}

/// The examples in C of a page, without their fences.
fn examples(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(project().join(page)).unwrap();
    let after = text.split("```c\n").skip(1);
    after.map(|rest| rest.split("```").next().unwrap().to_string()).collect()
}

/// An event loop with handles. The lines of a file's level stand first, up to KREF_POOL_DEFINE, and the others are
/// in a function.
fn the_event_loops_of_the_pages_compile() {
    let flags = ["-Wall", "-Wextra", "-Werror", "-Wshadow", "-c"].map(str::to_string);
    let flags = [&flags[..], &Prefix::plain().flags(&["--cflags", "kref"])].concat();
    let frame = "#include <kref.h>\n#include <sys/epoll.h>\n#include <unistd.h>\n#define MOST 8\n";
    let parts = "struct session { struct kref kref; int fd; };\n\
        static void session_cleanup(struct session *session) { close(session->fd); }\n";
    for (page, place, parts) in [("README.md", 1, parts), ("docs/pool.md", 0, "")] {
        let examples = examples(page);
        let example = &examples[place];
        let end = example.find("*/\n").expect("a comment ends the line of KREF_POOL_DEFINE") + 3;
        let (outside, inside) = example.split_at(end);
        assert!(outside.contains("KREF_POOL_DEFINE(") && inside.contains("epoll_wait("), "{page}");
        let (unset, close) = match page {
            "README.md" => (", struct session *s", ""),
            _ => (", int fd", examples[place + 1].as_str()),
        };
        let text = format!(
            "{frame}{parts}{outside}{close}int serve(struct session *session);\n\
             int events_of(int epoll, int n, int i, struct epoll_event event, \
             struct epoll_event *events{unset});\n\
             int events_of(int epoll, int n, int i, struct epoll_event event, \
             struct epoll_event *events{unset})\n{{\n{inside}return 0;\n}}\n"
        );
        let source = folder("event-loop").join("loop.c");
        std::fs::write(&source, text).unwrap();
        compile("event-loops", &source, &flags);
    }
}

fn the_readme_example_compiles_unchanged() {
    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    let example = &examples("README.md")[0];
    let source = folder("readme").join("example.c");
    std::fs::write(&source, example).unwrap();
    let flags = Prefix::plain().flags(&["--cflags", "--libs", "kref"]);
    let warnings = ["-Wall", "-Wextra", "-Werror"].map(str::to_string);
    let program = compile("readme-program", &source, &[&warnings[..], &flags].concat());
    let said = printed(Command::new(&program).env("LD_LIBRARY_PATH", Prefix::plain().lib()));
    assert!(readme.contains(&format!("```console\n{said}```")), "the example prints:\n{said}");
}
