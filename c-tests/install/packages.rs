//! The packages name libkref's version, its soname and its symbols. They must be those of Cargo.toml and
//! libkref.so.

use std::process::{Command, ExitCode};

use kref_c_tests::{Prefix, plain, printed, project, soname, version};
use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let trials = vec![
        plain("the_packages_have_the_version_of_libkref", the_packages_have_the_version_of_libkref),
        plain("the_symbols_file_lists_what_is_exported", the_symbols_file_lists_what_is_exported),
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
    let newest = format!("libkref ({}-", version());
    assert!(
        read("debian/changelog").starts_with(&newest),
        "debian/changelog's first entry: {newest}"
    );
    let stanza = format!("\nPackage: {}\n", package());
    assert!(read("debian/control").contains(&stanza), "debian/control: {stanza}");
    read(&format!("debian/{}.install", package()));

    let spec = read("packaging/libkref.spec");
    for line in [format!("Version:        {}", version()), format!("%{{_libdir}}/{}*", soname())] {
        assert!(spec.lines().any(|known| known == line), "packaging/libkref.spec: {line}");
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
