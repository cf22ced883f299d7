//! Checks the Makefile: what `make install` installs and where, what make prints if a tool is
//! missing, and which variables of the environment it uses.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use kref_c_tests::{
    Compiler, Finished, Prefix, folder, make_in, plain, printed, project, run, scratch, soname,
    track_soname,
};
use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let trials = vec![
        plain(
            "install_obeys_its_variables_and_uninstall_leaves_nothing",
            install_obeys_its_variables_and_uninstall_leaves_nothing,
        ),
        plain(
            "install_strip_leaves_debug_information_out",
            install_strip_leaves_debug_information_out,
        ),
        plain("a_missing_tool_is_named", a_missing_tool_is_named),
        plain("a_rust_too_old_for_the_tracker_is_named", a_rust_too_old_for_the_tracker_is_named),
        plain(
            "the_tracker_is_left_out_where_it_has_no_code",
            the_tracker_is_left_out_where_it_has_no_code,
        ),
        plain("a_path_with_a_blank_is_refused", a_path_with_a_blank_is_refused),
        plain(
            "the_environment_may_name_a_compiler_and_a_target",
            the_environment_may_name_a_compiler_and_a_target,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn make(arguments: &[String]) -> Finished {
    run(make_in(project()).args(arguments))
}

/// Variables that name the libraries of `Prefix::plain`, so that make builds nothing again.
fn built() -> [String; 2] {
    let build = scratch().join("plain/build");
    Prefix::plain();
    [format!("TARGET_DIR={}", build.display()), format!("OUT={}/libkref", build.display())]
}

fn install_obeys_its_variables_and_uninstall_leaves_nothing() {
    let root = folder("destdir");
    let variables = [
        built().to_vec(),
        vec![
            format!("DESTDIR={}", root.display()),
            "PREFIX=/usr".into(),
            "LIBDIR=/usr/lib/here".into(),
        ],
    ]
    .concat();
    let installed = make(&[&["install".to_string()][..], &variables].concat());
    assert!(installed.success, "{}", installed.output);
    for file in [
        "share/doc/kref/LICENSE-MIT",
        "share/doc/kref/LICENSE-APACHE",
        "share/doc/kref/third-party.txt",
        "share/doc/kref/sbom.cdx.json",
        "lib/here/libkref.a",
        "lib/here/pkgconfig/kref.pc",
        "include/kref/inline.h",
        "share/man/man1/kref-track.1",
        "share/man/man3/kref_get.3",
        "share/man/man7/kref.7",
        "include/kref.hpp",
    ] {
        assert!(root.join("usr").join(file).exists(), "{file}");
    }
    let pc = std::fs::read_to_string(root.join("usr/lib/here/pkgconfig/kref.pc")).unwrap();
    assert!(pc.contains("libdir=/usr/lib/here\n") && !pc.contains('@'), "{pc}");

    // With INCLUDEDIR set, kref-linux.pc names that folder.
    let elsewhere = vec!["INCLUDEDIR=/usr/include/libkref".to_string()];
    let installed = make(&[&["install".to_string()][..], &variables, &elsewhere].concat());
    assert!(installed.success, "{}", installed.output);
    let linux = root.join("usr/share/pkgconfig/kref-linux.pc");
    let pc = std::fs::read_to_string(&linux).unwrap();
    assert!(pc.contains("includedir=/usr/include/libkref\n"), "{pc}");
    let mode = std::fs::metadata(&linux).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "kref-linux.pc");
    let removed = make(&[&["uninstall".to_string()][..], &variables, &elsewhere].concat());
    assert!(removed.success, "{}", removed.output);

    let installed = make(&[&["install".to_string()][..], &variables].concat());
    assert!(installed.success, "{}", installed.output);
    let removed = make(&[&["uninstall".to_string()][..], &variables].concat());
    assert!(removed.success, "{}", removed.output);
    let left = printed(Command::new("find").arg(&root).args(["!", "-type", "d"]));
    assert_eq!(left, "");
    assert!(!root.join("usr/include/kref").exists());
}

/// `make install` keeps debug information, so that distributions can split it.
fn install_strip_leaves_debug_information_out() {
    let lib = |how: &str| {
        let root = folder(how);
        let places = [format!("PREFIX={}", root.display()), "DESTDIR=".into()];
        printed(make_in(project()).arg(how).args(built()).args(places));
        root.join("lib")
    };
    let (kept, stripped) = (lib("install"), lib("install-strip"));
    let tracker = format!("kref/{}", track_soname());
    for file in ["libkref.so", &tracker, "../bin/kref-track"] {
        let has = |lib: &Path| {
            printed(Command::new("readelf").arg("-SW").arg(lib.join(file))).contains(".debug_info")
        };
        assert!(has(&kept), "{file} has no debug information");
        assert!(!has(&stripped), "{file} has debug information");
    }
    let mut link = Compiler::any().command();
    link.arg(project().join("examples/handoff.c")).arg(stripped.join("libkref.so"));
    let program = stripped.join("program");
    printed(link.arg("-I").arg(stripped.join("../include")).arg("-o").arg(&program));
    printed(Command::new(&program).env("LD_LIBRARY_PATH", &stripped));
}

/// make names the missing tool, the purpose of the tool, and a way to get it.
fn a_missing_tool_is_named() {
    let empty = format!("OUT={}", folder("nothing-built").display());
    let from = |version| format!("install Rust {version} or later, from your system or by rustup");
    let (core, rust) = (from("1.85"), from("1.88"));
    for (target, variable, needed) in [
        ("all", "CARGO", format!("build libkref: {core}")),
        ("all", "CC", "link libkref: install gcc or clang, or set CC".into()),
        ("all", "OBJCOPY", "finish libkref.a: install binutils, or set OBJCOPY".into()),
        ("all", "AR", "finish libkref.a: install binutils, or set AR".into()),
        (
            "demo",
            "PKG_CONFIG",
            "find the library as a program would: install pkg-config or pkgconf".into(),
        ),
        ("check", "CARGO", format!("run the tests: {rust}")),
        ("check", "CC", "compile the C tests: install gcc or clang, or set CC".into()),
        (
            "check",
            "PKG_CONFIG",
            "find the library as a program would: install pkg-config or pkgconf".into(),
        ),
        ("bench", "CARGO", format!("run the benchmarks: {rust}")),
        ("header", "CARGO", format!("run cbindgen: {rust}")),
        ("man", "CARGO", format!("make the pages: {rust}")),
        ("docs", "MKDOCS", "make the web site: pip install mkdocs, or set MKDOCS".into()),
    ] {
        let said = make(&[target.into(), format!("{variable}=no-such"), empty.clone()]);
        let line = format!("make: no-such was not found; it is needed to {needed}.\n");
        assert!(!said.success && said.output.starts_with(&line), "{line}{}", said.output);
    }
}

fn a_rust_too_old_for_the_tracker_is_named() {
    let out = folder("too-old");
    let rustc = out.join("rustc");
    std::fs::write(&rustc, "#!/bin/sh\necho 'rustc 1.85.1 (of a distribution)'\n").unwrap();
    std::fs::set_permissions(&rustc, std::fs::Permissions::from_mode(0o755)).unwrap();
    let target = format!("{}/built-track", out.display());
    let said = make(&[
        target,
        format!("OUT={}", out.display()),
        format!("RUSTC={}", rustc.display()),
        "CARGO=true".into(),
    ]);
    let line = "make: the tracker needs Rust 1.88 or later; this is rustc 1.85.1 (of a distribution). \
                TRACK=no leaves it out.\n";
    assert!(!said.success && said.output.starts_with(line), "{}", said.output);
}

/// What make would do (`-n`): one line says that the tracker is left out.
fn the_tracker_is_left_out_where_it_has_no_code() {
    for (target, is_left_out) in [
        ("x86_64-unknown-linux-gnu", false),
        ("x86_64-unknown-linux-musl", true),
        ("aarch64-unknown-linux-gnu", false),
        ("riscv64gc-unknown-linux-gnu", true),
    ] {
        let out = format!("OUT={}", folder("nothing-built").display());
        let mut make = make_in(project());
        let said =
            printed(make.arg("-n").arg(out).arg(format!("TARGET={target}")).env_remove("TRACK"));
        let line = format!(
            "make: kref-track is left out: it needs x86-64 or aarch64 with glibc, and this is {target}."
        );
        assert_eq!(said.contains(&line), is_left_out, "{said}");
        assert_eq!(!said.contains("track/Cargo.toml"), is_left_out, "{said}");
    }
}

/// make takes a blank as the end of a name, so `make uninstall` would remove other files.
fn a_path_with_a_blank_is_refused() {
    let checkout = folder("a blank");
    for file in ["Makefile", "Cargo.toml"] {
        std::fs::copy(project().join(file), checkout.join(file)).unwrap();
    }
    let refused = |make: &mut Command| {
        let said = run(make);
        let tells = said.output.contains("a path with a blank in it does not work here");
        let one_line = said.output.lines().count() == 1;
        assert!(!said.success && tells && one_line, "{make:?}:\n{}", said.output);
    };
    refused(&mut make_in(&checkout));
    for variable in ["TARGET_DIR", "OUT", "PREFIX", "LIBDIR", "INCLUDEDIR", "DESTDIR"] {
        refused(make_in(project()).arg("uninstall").arg(format!("{variable}=/no such/place")));
    }
}

/// CC may have options, or a compiler cache in front. CARGO_BUILD_TARGET, which would change
/// cargo's folders, is overridden.
fn the_environment_may_name_a_compiler_and_a_target() {
    let target = folder("environment");
    let compiler = Compiler::any().command();
    let mut make = make_in(project());
    make.arg("TRACK=no").env("CARGO_BUILD_TARGET", "no-such-target").env("TARGET_DIR", &target);
    make.env("CC", format!("{} -pthread -Wl,-z,nodelete", compiler.get_program().display()));
    printed(&mut make);
    let library = target.join("libkref/libkref.so");
    let dynamic = printed(Command::new("readelf").arg("-dW").arg(&library));
    assert!(dynamic.contains("NODELETE") && dynamic.contains(&soname()), "{dynamic}");

    let would = printed(make_in(project()).args(["--dry-run", "--always-make", "CC=ccache cc -g"]));
    assert!(would.contains(" -C linker=cc -C link-arg=-g "), "{would}");
}
