//! libkref in projects that are built by CMake or Meson.

use std::path::Path;
use std::process::{Command, ExitCode};

use kref_c_tests::{
    Compiler, Finished, Prefix, c_tests, folder, printed, project, run, unless_missing, version,
    without_make_flags,
};
use libtest_mimic::{Arguments, Trial};

/// A test's name, and the tools that it needs.
type Test = (&'static str, &'static [&'static str], fn());

fn main() -> ExitCode {
    let tests: [Test; 4] = [
        ("cmake_finds_the_installed_library", &["cmake"], cmake),
        ("cmake_refuses_another_minor_version", &["cmake"], cmake_versions),
        ("meson_finds_the_installed_library", &["meson", "ninja"], meson_installed),
        ("meson_builds_a_subproject", &["meson", "ninja"], meson_subproject),
    ];
    let trial = |(name, tools, test): Test| {
        Trial::ignorable_test(name, move || {
            unless_missing(need(tools), |()| {
                test();
                Ok(())
            })
        })
    };
    libtest_mimic::run(&Arguments::from_args(), tests.into_iter().map(trial).collect()).exit_code()
}

fn need(tools: &[&str]) -> Result<(), String> {
    let missing = tools.iter().find(|&&tool| !run(Command::new(tool).arg("--version")).success);
    missing.map_or(Ok(()), |tool| Err(format!("{tool} was not found")))
}

/// Runs the example, which must release what it made.
fn runs(program: &Path) {
    let said = printed(Command::new(program).env("LD_LIBRARY_PATH", Prefix::plain().lib()));
    assert_eq!(said.matches("released exactly once").count(), 4, "{said}");
}

fn configure(build: &Path, wanted: &str) -> Finished {
    let mut cmake = Command::new("cmake");
    cmake.arg("-S").arg(c_tests().join("install/cmake")).arg("-B").arg(build);
    cmake.arg(format!("-DCMAKE_PREFIX_PATH={}", Prefix::plain().lib().parent().unwrap().display()));
    cmake.arg(format!("-DCMAKE_C_COMPILER={}", Compiler::any().command().get_program().display()));
    cmake.arg(format!("-DEXAMPLE={}", project().join("examples/handoff.c").display()));
    run(cmake.arg(format!("-DWANTED={wanted}")))
}

fn cmake() {
    let build = folder("cmake");
    let configured = configure(&build, &version());
    assert!(configured.success, "{}", configured.output);
    printed(Command::new("cmake").arg("--build").arg(&build));
    for program in ["shared", "static"] {
        runs(&build.join(program));
    }
}

fn cmake_versions() {
    let version = version();
    let (minor, _) = version.rsplit_once('.').unwrap();
    for (wanted, found) in
        [("", true), (minor, true), ("0.1", false), ("0.999", false), ("1", false)]
    {
        let configured = configure(&folder("cmake-version"), wanted);
        assert_eq!(
            configured.success, found,
            "find_package(kref {wanted}):\n{}",
            configured.output
        );
    }
}

/// A Meson project with the example. Returns its folder, in which nothing is built yet.
fn meson_project(name: &str) -> std::path::PathBuf {
    let user = folder(name);
    std::fs::copy(c_tests().join("install/meson/meson.build"), user.join("meson.build")).unwrap();
    std::fs::copy(project().join("examples/handoff.c"), user.join("handoff.c")).unwrap();
    user
}

fn meson(user: &Path, setup: &mut Command) {
    printed(setup.current_dir(user));
    // For the subproject, Meson runs make.
    let mut compile = Command::new("meson");
    printed(without_make_flags(compile.args(["compile", "-C", "build"]).current_dir(user)));
    runs(&user.join("build/program"));
}

fn meson_installed() {
    let user = meson_project("meson-installed");
    let found = Prefix::plain().pkg_config();
    let mut setup = Command::new("meson");
    for (name, value) in found.get_envs() {
        setup.env(name, value.unwrap());
    }
    meson(&user, setup.args(["setup", "--wrap-mode=nofallback", "build"]));
}

/// The project itself as subprojects/kref. Meson must use it, and not an installed libkref.
fn meson_subproject() {
    let user = meson_project("meson-subproject");
    std::fs::create_dir(user.join("subprojects")).unwrap();
    std::os::unix::fs::symlink(project(), user.join("subprojects/kref")).unwrap();
    let mut setup = Command::new("meson");
    meson(&user, setup.args(["setup", "--wrap-mode=forcefallback", "build"]));
}
