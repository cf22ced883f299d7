//! The tarball of `make dist`: libkref is built with what is in it. ci/deb.sh builds the tracker from it, without a network.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;

use kref_c_tests::{
    folder, make_in, plain, printed, project, run, soname, version, without_make_flags,
};
use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let trials = vec![
        plain("libkref_is_built_with_libc_alone", libkref),
        plain("it_has_the_licences_and_the_bill_of_materials", files),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The tarball, unpacked into a folder of this name.
fn unpacked(name: &str) -> PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let target = folder("dist");
        let mut make = make_in(project());
        printed(make.arg("dist").arg(format!("TARGET_DIR={}", target.display())));
        target.join(format!("libkref-{}.tar.gz", version()))
    });
    let folder = folder(name);
    printed(Command::new("tar").arg("-xzf").arg(made).arg("-C").arg(&folder));
    folder.join(format!("libkref-{}", version()))
}

/// Runs make in `folder` without a network, and with a cargo that has no crates yet.
fn make(folder: &Path, arguments: &[&str]) {
    let unshare = run(Command::new("unshare").args(["--net", "true"])).success;
    let mut make = Command::new(if unshare { "unshare" } else { "make" });
    if unshare {
        make.args(["--net", "make"]);
    }
    without_make_flags(make.env_remove("RUSTFLAGS"));
    let empty = folder.join("no-crates");
    std::fs::create_dir(&empty).unwrap();
    make.env("CARGO_HOME", empty).env("CARGO_NET_OFFLINE", "true");
    printed(make.args(arguments).current_dir(folder));
}

fn libkref() {
    let source = unpacked("dist-libkref");
    for vendored in std::fs::read_dir(source.join("vendor")).unwrap() {
        let vendored = vendored.unwrap();
        if vendored.file_name() != "libc" {
            std::fs::remove_dir_all(vendored.path()).unwrap();
        }
    }
    make(&source, &["TRACK=no"]);
    assert!(source.join("target/libkref").join(soname()).exists());
}

fn files() {
    let source = unpacked("dist-files");
    for file in ["sbom.cdx.json", "track/third-party.txt", "LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(source.join(file).exists(), "{file}");
    }
}
