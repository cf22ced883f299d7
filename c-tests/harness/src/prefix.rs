//! libkref as `make install` leaves it, in one directory for each way to build it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::process::run;

/// The project's root.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("c-tests is in the project")
}

/// The folder of the C tests.
pub fn c_tests() -> PathBuf {
    project().join("c-tests")
}

/// Where the tests may write.
pub fn scratch() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| project().join("target"), |target| project().join(target))
        .join("c-tests")
}

/// An empty folder for one test of what is installed.
pub fn folder(name: &str) -> PathBuf {
    let folder = scratch().join("installed").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("target can be written");
    folder
}

/// libkref's version, from Cargo.toml.
pub fn version() -> String {
    let manifest = std::fs::read_to_string(project().join("Cargo.toml")).expect("Cargo.toml");
    let mut lines = manifest.lines();
    let line = lines.find_map(|line| line.strip_prefix("version = \"")).expect("a version");
    line.trim_end_matches('"').to_string()
}

/// `libkref.so.MAJOR.MINOR`.
pub fn soname() -> String {
    let version = version();
    format!("libkref.so.{}", version.rsplit_once('.').expect("three numbers").0)
}

/// `libkref_track.so.MAJOR.MINOR`.
pub fn track_soname() -> String {
    soname().replace("libkref", "libkref_track")
}

/// An installed tree.
#[derive(Debug)]
pub struct Prefix {
    root: PathBuf,
}

impl Prefix {
    /// As a user has it.
    pub fn plain() -> &'static Self {
        static PLAIN: OnceLock<Prefix> = OnceLock::new();
        PLAIN.get_or_init(|| Self::install("plain", &mut Command::new("make")))
    }

    /// Instrumented by ThreadSanitizer, which a stable compiler only does when it is talked into it.
    pub fn tsan() -> &'static Self {
        static TSAN: OnceLock<Prefix> = OnceLock::new();
        TSAN.get_or_init(|| {
            // An older ThreadSanitizer, gcc's, has no names of its own for memcpy and memset.
            // The tracker is loaded at run time, and nobody's sanitizer looks into it.
            let flags = "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer \
                         -Cllvm-args=-tsan-instrument-memintrinsics=0";
            let mut make = Command::new("make");
            make.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", flags).arg("TRACK=no");
            Self::install("tsan", &mut make)
        })
    }

    fn install(name: &str, make: &mut Command) -> Self {
        let root = scratch().join(name);
        // A make that runs the tests has words for its own makes, not for this one.
        make.current_dir(project()).env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
        make.arg("install").arg(format!("TARGET_DIR={}", root.join("build").display()));
        let places = [
            ("OUT", "build/libkref"),
            ("PREFIX", ""),
            ("LIBDIR", "lib"),
            ("BINDIR", "bin"),
            ("INCLUDEDIR", "include"),
            ("PKGCONFIGDIR", "lib/pkgconfig"),
            ("DATADIR", "share"),
        ];
        make.args(places.map(|(name, place)| format!("{name}={}", root.join(place).display())));
        make.arg("DESTDIR=");
        let made = run(make);
        assert!(made.success, "make install failed:\n{}", made.output);
        Self { root }
    }

    /// Where the headers are.
    pub fn include(&self) -> PathBuf {
        self.root.join("include")
    }

    /// Where the libraries are.
    pub fn lib(&self) -> PathBuf {
        self.root.join("lib")
    }

    /// kref-track.
    pub fn kref_track(&self) -> PathBuf {
        self.root.join("bin/kref-track")
    }

    /// libkref.a.
    pub fn archive(&self) -> PathBuf {
        self.lib().join("libkref.a")
    }

    /// pkg-config that sees this tree.
    pub fn pkg_config(&self) -> Command {
        let name = std::env::var_os("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into());
        let mut command = Command::new(name);
        let places = ["lib/pkgconfig", "share/pkgconfig"].map(|place| self.root.join(place));
        command.env("PKG_CONFIG_PATH", std::env::join_paths(places).expect("no colon in a path"));
        command
    }

    /// The flags that pkg-config prints.
    pub fn flags(&self, arguments: &[&str]) -> Vec<String> {
        let printed = run(self.pkg_config().args(arguments));
        assert!(printed.success, "pkg-config {arguments:?} failed:\n{}", printed.output);
        printed.output.split_whitespace().map(str::to_string).collect()
    }
}
