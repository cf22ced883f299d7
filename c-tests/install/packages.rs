//! The packages of Debian, Fedora (RPM) and Alpine repeat libkref's version, its soname, its symbols and its files.
//! They must be those of Cargo.toml and of `make install`.

use std::process::{Command, ExitCode};

use kref_c_tests::{Prefix, plain, printed, project, soname, version};
use libtest_mimic::Arguments;

const SPEC: &str = "packaging/libkref.spec";

fn main() -> ExitCode {
    let trials = vec![
        plain("the_packages_have_the_version_of_libkref", the_packages_have_the_version_of_libkref),
        plain("the_packages_have_the_soname_of_libkref", the_packages_have_the_soname_of_libkref),
        plain("the_symbols_file_lists_what_is_exported", the_symbols_file_lists_what_is_exported),
        plain("the_spec_lists_what_is_installed", the_spec_lists_what_is_installed),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Debian's package is named after the soname: `libkref0.2` for `libkref.so.0.2`.
fn package() -> String {
    soname().replace(".so.", "")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(project().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn the_packages_have_the_version_of_libkref() {
    let version = version();
    for (file, line) in [
        ("debian/changelog", format!("libkref ({version}-")),
        (SPEC, format!("Version:        {version}\n")),
        ("packaging/APKBUILD", format!("pkgver={version}\n")),
        ("track/Cargo.toml", format!("version = \"{version}\"\n")),
    ] {
        let first = read(file).split_inclusive('\n').any(|known| known.starts_with(&line));
        assert!(first, "{file} has no line that starts with {line:?}");
    }
}

/// Each of these files names the library or Debian's package, and none with another number.
fn the_packages_have_the_soname_of_libkref() {
    let (soname, package) = (soname(), package());
    read(&format!("debian/{package}.install"));
    for file in [
        "debian/control",
        "debian/rules",
        "debian/tests/handoff",
        SPEC,
        "packaging/APKBUILD",
        "README.md",
        "CONTRIBUTING.md",
    ] {
        let text = read(file);
        let mut names = 0;
        for (stem, name) in [("libkref.so.", &soname), ("libkref", &package)] {
            for (place, _) in text.match_indices(stem) {
                if text[place + stem.len()..].starts_with(|next: char| next.is_ascii_digit()) {
                    let line = text[place..].lines().next().unwrap();
                    assert!(line.starts_with(name.as_str()), "{file}: {line}");
                    names += 1;
                }
            }
        }
        assert!(names > 0, "{file} names neither {soname} nor {package}");
    }
}

fn the_symbols_file_lists_what_is_exported() {
    let library = Prefix::plain().lib().join(soname());
    let text = printed(Command::new("nm").args(["-D", "--defined-only"]).arg(library));
    let versioned = soname().replace("libkref.so.", "@KREF_");
    let name = |line: &str| line.split_whitespace().nth(2).map(str::to_string);
    let plain = |symbol: String| symbol.split('@').next().unwrap_or_default().to_string();
    let exported: Vec<String> =
        text.lines().filter_map(name).map(|symbol| plain(symbol) + &versioned).collect();

    let file = read(&format!("debian/{}.symbols", package()));
    let header = format!("{} {} #MINVER#\n", soname(), package());
    assert!(file.starts_with(&header), "{header}");
    let entries = file.lines().filter_map(|line| line.strip_prefix(' '));
    let listed: Vec<&str> = entries.filter_map(|entry| entry.split(' ').next()).collect();
    let missing = exported.iter().filter(|symbol| !listed.contains(&symbol.as_str()));
    let gone = listed.iter().filter(|symbol| !exported.iter().any(|known| known == *symbol));
    let (missing, gone): (Vec<_>, Vec<_>) = (missing.collect(), gone.collect());
    assert!(
        missing.is_empty() && gone.is_empty(),
        "not listed: {missing:?}; not exported: {gone:?}"
    );
}

/// rpmbuild, which CI does not run, refuses a file that is in no list and a list without a file. Debian's build
/// is in CI, and Alpine's packages take what is in a folder.
fn the_spec_lists_what_is_installed() {
    let prefix = Prefix::plain().lib().join("..");
    let found = printed(Command::new("find").args([".", "!", "-type", "d"]).current_dir(&prefix));
    let names = found.lines().filter_map(|line| line.strip_prefix("./"));
    // The folder has the build, too. The spec leaves the documents to %doc.
    let installed: Vec<_> = names
        .filter(|name| !name.starts_with("build/") && !name.starts_with("share/doc/"))
        .collect();
    let spec = read(SPEC);
    let listed: Vec<_> = spec
        .lines()
        .filter(|line| line.starts_with("%{_"))
        .map(|line| {
            [
                ("_libdir", "lib"),
                ("_bindir", "bin"),
                ("_includedir", "include"),
                ("_datadir", "share"),
                ("_mandir", "share/man"),
            ]
            .iter()
            .fold(line.to_string(), |line, (name, place)| {
                line.replace(&format!("%{{{name}}}"), place)
            })
        })
        .collect();
    let matches = |pattern: &str, file: &str| match pattern.strip_suffix(['*', '/']) {
        Some(start) => file.starts_with(start),
        None => file == pattern,
    };
    for file in &installed {
        assert!(listed.iter().any(|pattern| matches(pattern, file)), "{SPEC} has no {file}");
    }
    for pattern in &listed {
        assert!(
            installed.iter().any(|file| matches(pattern, file)),
            "nothing is {pattern} of {SPEC}"
        );
    }
}
