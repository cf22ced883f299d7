//! Uses an installed libkref as a C program would use it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use kref_c_tests::{
    Compiler, Prefix, c_tests, folder, is_quick, per_compiler, plain, printed, project, run,
    soname, track_soname, version,
};
use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut trials = vec![
        plain("kref_names_are_exported_and_nothing_else", kref_names_are_exported_and_nothing_else),
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
        plain("each_symbol_has_a_version", each_symbol_has_a_version),
        plain("another_minor_version_is_not_loaded", another_minor_version_is_not_loaded),
        plain(
            "a_program_builds_with_pkg_config_and_runs",
            a_program_builds_with_pkg_config_and_runs,
        ),
        plain("a_static_program_builds_and_runs", a_static_program_builds_and_runs),
        plain("links_beside_another_rust_library", links_beside_another_rust_library),
        plain("the_readme_example_compiles_unchanged", the_readme_example_compiles_unchanged),
    ];
    trials.extend(per_compiler("kernel_code", Compiler::need, kernel_code_compiles_unchanged));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn shared() -> PathBuf {
    Prefix::plain().lib().join("libkref.so")
}

/// The version of libkref.so's symbols is a symbol, too: `KREF_0.2`.
fn is_version(symbol: &str) -> bool {
    symbol.starts_with("KREF_")
}

/// The names that nm prints for defined symbols.
fn symbols(nm: &[&str], library: &Path) -> Vec<String> {
    let text = printed(Command::new("nm").args(nm).arg(library));
    let names = text.lines().filter_map(|line| line.split_whitespace().nth(2));
    let names = names.filter(|name| !is_version(name));
    names.map(|name| name.split('@').next().unwrap_or(name).to_string()).collect()
}

fn kref_names_are_exported_and_nothing_else() {
    for (nm, library) in [
        (["-D", "--defined-only"], shared()),
        (["-g", "--defined-only"], Prefix::plain().archive()),
    ] {
        let names = symbols(&nm, &library);
        assert!(
            names.iter().all(|name| name.starts_with("kref_") || name.starts_with("percpu_ref_")),
            "{names:?}"
        );
        let include = Prefix::plain().include();
        let text = |header| std::fs::read_to_string(include.join(header)).unwrap();
        let header = ["kref.h", "kref/inline.h", "kref/percpu.h"].map(text).concat();
        for name in &names {
            // The one variable: kref/inline.h reads it.
            let is_variable = name == "kref_current_tracker";
            assert!(is_variable || header.contains(&format!("{name}(")), "{name} is in no header");
        }
        assert!(names.len() > 25, "{names:?}");
    }
}

fn the_shared_library_is_small_and_needs_libc_alone() {
    let dynamic = printed(Command::new("readelf").arg("-dW").arg(shared()));
    let needed: Vec<_> = dynamic.lines().filter(|line| line.contains("(NEEDED)")).collect();
    assert!(needed.len() == 1 && needed[0].contains("[libc.so.6]"), "{needed:?}");
    assert!(dynamic.contains(&format!("Library soname: [{}]", soname())), "{dynamic}");

    let stripped = folder("stripped").join("libkref.so");
    printed(Command::new("strip").arg("-o").arg(&stripped).arg(shared()));
    let size = std::fs::metadata(&stripped).unwrap().len();
    assert!(size <= 40 * 1024, "{size} bytes stripped");
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

/// Copies the source to two places with paths of different lengths, and builds libkref in each.
fn two_places_build_the_same() {
    const SOURCE: [&str; 9] = [
        "Cargo.toml",
        "Cargo.lock",
        "Makefile",
        "build.rs",
        "src",
        "c-tests",
        "bench",
        "track",
        "fuzz",
    ];
    let empty = folder("reproducible");
    let [one, other] = ["one", "another/place"].map(|place| {
        let copy = empty.join(place);
        std::fs::create_dir_all(&copy).unwrap();
        let source = SOURCE.map(|name| project().join(name));
        printed(Command::new("cp").arg("-r").args(source).arg(&copy));
        let mut make = Command::new("make");
        make.current_dir(&copy).args(["TRACK=no", "TARGET_DIR=target", "OUT=out"]);
        for name in ["MAKEFLAGS", "MAKELEVEL", "CARGO_TARGET_DIR", "RUSTFLAGS"] {
            make.env_remove(name);
        }
        printed(&mut make);
        copy.join("out")
    });
    for library in ["libkref.so", "libkref.a"] {
        let read = |folder: &Path| std::fs::read(folder.join(library)).unwrap();
        assert!(read(&one) == read(&other), "{library} differs");
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

/// The version of the symbols: `KREF_0.2`.
fn symbol_version() -> String {
    soname().replace("libkref.so.", "KREF_")
}

/// Linked by each linker that the machine has.
fn each_symbol_has_a_version() {
    for linker in ["bfd", "gold", "lld", "mold"] {
        let library = folder("versions").join(linker).join("libkref.so");
        std::fs::create_dir_all(library.parent().unwrap()).unwrap();
        let known = run(Compiler::any().command().args([
            "-shared",
            "-nostdlib",
            &format!("-fuse-ld={linker}"),
            "-x",
            "c",
            "/dev/null",
            "-o",
            "/dev/null",
        ]));
        if !known.success {
            continue;
        }
        let mut make = Command::new("make");
        make.current_dir(project()).args(["TRACK=no", &format!("LDFLAGS=-fuse-ld={linker}")]);
        make.arg(format!("OUT={}", library.parent().unwrap().display()));
        printed(&mut make);
        let text = printed(Command::new("nm").args(["-D", "--defined-only"]).arg(&library));
        for symbol in text.lines().filter_map(|line| line.split_whitespace().nth(2)) {
            let has_version = symbol.ends_with(&format!("@@{}", symbol_version()));
            assert!(has_version || is_version(symbol), "{linker}: {symbol}");
        }
    }
}

/// A library with this soname, and with symbols of another version.
fn another_minor_version_is_not_loaded() {
    let source = project().join("examples/handoff.c");
    let flags = Prefix::plain().flags(&["--cflags", "--libs", "kref"]);
    let program = compile("another-version", &source, &flags);
    let library = program.with_file_name(soname());
    let script = program.with_file_name("map");
    std::fs::write(&script, "KREF_0.999 { global: kref_*; percpu_ref_*; local: *; };").unwrap();
    let mut link = Compiler::any().command();
    link.arg("-shared").arg(format!("-Wl,--version-script={}", script.display()));
    link.args([&format!("-Wl,-soname,{}", soname()), "-nostartfiles", "-Wl,--whole-archive"]);
    printed(
        link.arg(Prefix::plain().archive()).arg("-Wl,--no-whole-archive").arg("-o").arg(&library),
    );
    let folder = library.parent().unwrap();
    let ended = run(Command::new(&program).env("LD_LIBRARY_PATH", folder));
    let said = format!("version `{}' not found", symbol_version());
    assert!(!ended.success && ended.output.contains(&said), "{}", ended.output);
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

/// Kernel code compiles in each dialect that the kernel has used. queue.c converts no void
/// pointers, so it compiles as C++, too.
fn kernel_code_compiles_unchanged(compiler: Compiler) {
    let dialects = [["c", "gnu89"], ["c", "gnu11"], ["c", "gnu17"], ["c++", "c++17"]];
    let (session, queue) = ("session 7 released\n", "queue drained\nqueue drained\n");
    for [language, dialect] in dialects {
        let is_c = language == "c";
        if is_c || compiler.speaks_cpp() {
            kernel_code(compiler, "queue", language, dialect, queue);
        }
        if is_c {
            kernel_code(compiler, "session", language, dialect, session);
        }
    }
}

fn kernel_code(compiler: Compiler, name: &str, language: &str, dialect: &str, says: &str) {
    let program = folder(&format!("{name}-{}-{dialect}", compiler.kind().name())).join("program");
    let mut compile = compiler.command();
    compile.args(["-Wall", "-Wextra", "-Werror", "-x", language]).arg(format!("-std={dialect}"));
    compile.arg(c_tests().join(format!("install/kernel/{name}.c"))).arg("-o").arg(&program);
    printed(compile.args(Prefix::plain().flags(&["--cflags", "kref-linux", "--libs", "kref"])));
    let said = printed(Command::new(&program).env("LD_LIBRARY_PATH", Prefix::plain().lib()));
    assert_eq!(said, says, "{name} as {dialect}");
}

fn the_readme_example_compiles_unchanged() {
    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    let example = readme.split("```c\n").nth(1).expect("an example").split("```").next().unwrap();
    let source = folder("readme").join("example.c");
    std::fs::write(&source, example).unwrap();
    let flags = Prefix::plain().flags(&["--cflags", "--libs", "kref"]);
    let warnings = ["-Wall", "-Wextra", "-Werror"].map(str::to_string);
    let program = compile("readme-program", &source, &[&warnings[..], &flags].concat());
    let said = printed(Command::new(&program).env("LD_LIBRARY_PATH", Prefix::plain().lib()));
    assert!(readme.contains(&format!("```console\n{said}```")), "the example prints:\n{said}");
}
