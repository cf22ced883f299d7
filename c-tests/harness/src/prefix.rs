//! Folders that `make install` has filled: one for each way to build libkref.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::process::{make_in, run};

/// The project's root folder.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("c-tests is in the project")
}

/// The folder of the C tests.
pub fn c_tests() -> PathBuf {
    project().join("c-tests")
}

/// The folder in which the tests may write.
pub fn scratch() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| project().join("target"), |target| project().join(target))
        .join("c-tests")
}

/// An empty folder for one test.
pub fn folder(name: &str) -> PathBuf {
    let folder = scratch().join("installed").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("target can be written");
    folder
}

/// Whether this is `make check`, which leaves out what takes long.
pub fn is_quick() -> bool {
    is_check("quick")
}

/// Whether this is `make check-all` after `make check`, as in CI: what has just been tested at length is left out.
pub fn is_rest() -> bool {
    is_check("rest")
}

fn is_check(form: &str) -> bool {
    std::env::var_os("KREF_CHECK").is_some_and(|value| value == form)
}

/// Whether make builds libkref for musl: ci/cross.sh musl.
pub fn is_musl() -> bool {
    std::env::var("TARGET").is_ok_and(|target| target.ends_with("musl"))
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

/// A folder with an installed libkref.
#[derive(Debug)]
pub struct Prefix {
    root: PathBuf,
}

/// Where `make` puts what it builds, below the folder of an installation.
const OUT: &str = "build/libkref";

impl Prefix {
    /// libkref as users install it.
    pub fn plain() -> &'static Self {
        static PLAIN: OnceLock<Prefix> = OnceLock::new();
        PLAIN.get_or_init(|| {
            let mut make = make_in(project());
            if is_quick() {
                make.arg("TRACK=no"); // the tracker takes longer to build than all else
            }
            Self::install("plain", &mut make)
        })
    }

    /// Makes [`plain`](Self::plain) run cargo for the tracker, although no source has changed. Tests may have built the
    /// tracker with `CARGO_PROFILE_TRACK_LTO=off`; cargo then builds it again, and otherwise does nothing.
    pub fn renew_tracker() {
        let _ = std::fs::remove_file(scratch().join("plain").join(OUT).join("built-track"));
    }

    /// libkref instrumented by ThreadSanitizer. A stable rustc accepts -Z flags only with
    /// RUSTC_BOOTSTRAP.
    pub fn tsan() -> &'static Self {
        static TSAN: OnceLock<Prefix> = OnceLock::new();
        TSAN.get_or_init(|| {
            // rustc's instrumentation would call __tsan_memcpy and __tsan_memset, which gcc's
            // ThreadSanitizer does not have. The tracker is left out, since it is never
            // instrumented.
            let flags = "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer \
                         -Cllvm-args=-tsan-instrument-memintrinsics=0";
            let mut make = make_in(project());
            make.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", flags).arg("TRACK=no");
            Self::install("tsan", &mut make)
        })
    }

    /// libkref as on a processor for which rustc has no assembly: without the stubs of src/capi/edge.rs.
    pub fn without_assembly() -> &'static Self {
        static WITHOUT: OnceLock<Prefix> = OnceLock::new();
        WITHOUT.get_or_init(|| {
            let mut make = make_in(project());
            make.env("RUSTFLAGS", "--cfg kref_no_assembly").arg("TRACK=no");
            Self::install("without-assembly", &mut make)
        })
    }

    fn install(name: &str, make: &mut Command) -> Self {
        let root = scratch().join(name);
        make.arg("install").arg(format!("TARGET_DIR={}", root.join("build").display()));
        let places = [
            ("OUT", OUT),
            ("PREFIX", ""),
            ("LIBDIR", "lib"),
            ("BINDIR", "bin"),
            ("INCLUDEDIR", "include"),
            ("PKGCONFIGDIR", "lib/pkgconfig"),
            ("DATADIR", "share"),
            ("MANDIR", "share/man"),
        ];
        make.args(places.map(|(name, place)| format!("{name}={}", root.join(place).display())));
        make.arg("DESTDIR=");
        let made = run(make);
        assert!(made.success, "make install failed:\n{}", made.output);
        Self { root }
    }

    /// The folder of the headers.
    pub fn include(&self) -> PathBuf {
        self.root.join("include")
    }

    /// The folder of the libraries.
    pub fn lib(&self) -> PathBuf {
        self.root.join("lib")
    }

    /// The path of kref-track.
    pub fn kref_track(&self) -> PathBuf {
        self.root.join("bin/kref-track")
    }

    /// The path of libkref.a.
    pub fn archive(&self) -> PathBuf {
        self.lib().join("libkref.a")
    }

    /// A pkg-config command that looks into this folder.
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
