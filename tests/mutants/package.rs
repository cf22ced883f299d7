//! A copy of the package, in which a test changes one place at a time.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs, io};

use crate::Mutant;

pub struct Package {
    root: PathBuf,
}

impl Package {
    /// Copies all that cargo needs for this package and its tests. The workspace's other packages stay
    /// out.
    pub fn copy(name: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants").join(name);
        if root.exists() {
            fs::remove_dir_all(&root).expect("the last run's copy");
        }
        fs::create_dir_all(&root).expect("CARGO_TARGET_TMPDIR");
        for name in ["Cargo.lock", "build.rs", "src", "tests"] {
            copy(&project().join(name), &root.join(name)).expect(name);
        }
        let manifest: Vec<String> = read("Cargo.toml")
            .lines()
            .filter(|line| !line.starts_with("members") && !line.starts_with("default-members"))
            .map(String::from)
            .collect();
        fs::write(root.join("Cargo.toml"), manifest.join("\n")).expect("Cargo.toml");
        Self { root }
    }

    /// Runs `test` while the mutant's place is changed.
    pub fn with<T>(&self, mutant: &Mutant, test: impl FnOnce() -> T) -> T {
        let path = self.root.join(mutant.file);
        let original = fs::read_to_string(&path).expect(mutant.file);
        fs::write(&path, original.replace(mutant.source, mutant.mutated)).expect(mutant.file);
        let result = test();
        fs::write(&path, original).expect(mutant.file);
        result
    }

    /// A cargo command for the copy. A build of the copy is to be fast, since there is one for each mutant. Loom itself
    /// is optimised: the models take a fifth of the time then.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(&self.root).args(arguments).arg("--target-dir").arg(self.target());
        cargo.env("CARGO_INCREMENTAL", "1").env("CARGO_PROFILE_DEV_DEBUG", "0");
        cargo.args(["--config", "profile.dev.package.'*'.opt-level=1"]);
        cargo.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUST_BACKTRACE", "0");
        cargo
    }

    /// The folder in which cargo builds the copy. Other runs use it again.
    pub fn target(&self) -> PathBuf {
        self.root.with_extension("target")
    }
}

pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(file: &str) -> String {
    fs::read_to_string(project().join(file)).expect(file)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_file() {
        return fs::copy(from, to).map(|_| ());
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

/// What the command has printed, and whether it was successful.
pub fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let Output { status, stdout, stderr } = output;
    (status.success(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}
