//! The crate, as crates.io has it: `cargo package` packs it, a program uses it without a network, and its
//! documentation is built as docs.rs builds it. Its public interface must be abi/kref-crate.txt;
//! `KREF_ABI=write` writes this file anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use kref_c_tests::{folder, plain, printed, project, unless_missing, version};
use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

fn main() -> ExitCode {
    let trials = vec![
        plain("what_the_texts_link_to_is_packed", what_the_texts_link_to_is_packed),
        plain("a_program_uses_the_crate", a_program_uses_the_crate),
        Trial::ignorable_test("the_crates_interface_is_what_was_described", || {
            unless_missing(interface("now"), |interface| is_described(&interface))
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(arguments).current_dir(project());
    cargo
}

fn what_the_texts_link_to_is_packed() {
    let list =
        printed(&mut cargo(&["package", "-p", "kref", "--list", "--allow-dirty", "--quiet"]));
    let packed: Vec<_> = list.lines().collect();
    for text in ["README.md", "CHANGELOG.md", "SECURITY.md"] {
        let content = std::fs::read_to_string(project().join(text)).unwrap();
        for link in content.split("](").skip(1) {
            let file = link.split([')', '#']).next().unwrap();
            let is_elsewhere = file.is_empty() || file.contains("://");
            assert!(is_elsewhere || packed.contains(&file), "{text} links to {file}");
        }
    }
    let foreign = ["c-tests/", "track/", "tests/", "bench/", "debian/"];
    let found = packed.iter().find(|file| foreign.iter().any(|folder| file.starts_with(folder)));
    assert_eq!(found, None);
}

/// docs.rs has no network, and the source there is read-only: cargo must write into its target folder alone.
fn a_program_uses_the_crate() {
    let user = folder("package");
    let mut package =
        cargo(&["package", "-p", "kref", "--no-verify", "--allow-dirty", "--offline"]);
    printed(package.arg("--target-dir").arg(user.join("packed")));
    let name = format!("kref-{}", version());
    let packed = user.join(format!("packed/package/{name}.crate"));
    printed(Command::new("tar").arg("-xzf").arg(packed).arg("-C").arg(&user));
    std::fs::create_dir(user.join("src")).unwrap();
    std::fs::write(user.join("src/main.rs"), PROGRAM).unwrap();
    let manifest = format!(
        "[package]\nname = \"user\"\nedition = \"2024\"\n[workspace]\n[dependencies]\nkref.path = {name:?}\n"
    );
    std::fs::write(user.join("Cargo.toml"), manifest).unwrap();
    std::fs::copy(user.join(&name).join("Cargo.lock"), user.join("Cargo.lock")).unwrap();

    let before = contents(&user.join(&name));
    let offline = |arguments: &[&str]| {
        let mut cargo = cargo(arguments);
        cargo.args(["--offline", "--target-dir"]).arg(user.join("target")).current_dir(&user);
        cargo
    };
    assert_eq!(printed(&mut offline(&["run", "--quiet"])), "released\n");
    let mut doc = offline(&["doc", "--no-deps", "--quiet", "-p", "kref"]);
    printed(doc.env("RUSTDOCFLAGS", "--cfg docsrs -D warnings"));
    assert!(user.join("target/doc/kref/struct.Ref.html").exists());
    assert!(contents(&user.join(&name)) == before, "the build has written into its source");
}

const PROGRAM: &str = "fn main() {
    let count = kref::Count::new(1);
    assert!(count.dec_and_test());
    println!(\"released\");
}
";

/// All files of a folder.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut contents(&path));
        } else {
            found.insert(path.clone(), std::fs::read(path).unwrap());
        }
    }
    found
}

/// The public items of the crate, a line for each, as rustdoc sees them. rustdoc writes JSON only if it takes
/// itself for a nightly one.
fn interface(name: &str) -> Result<String, String> {
    const FORMAT: u64 = 57;
    let target = folder(name);
    let mut rustdoc = cargo(&["rustdoc", "-p", "kref", "--lib", "--locked", "--quiet"]);
    rustdoc.arg("--target-dir").arg(&target).env("RUSTC_BOOTSTRAP", "1");
    printed(rustdoc.args(["--", "-Z", "unstable-options", "--output-format", "json"]));
    let json = target.join("doc/kref.json");
    let format = serde_json::from_slice::<Value>(&std::fs::read(&json).unwrap()).unwrap();
    if format["format_version"] != FORMAT {
        return Err(format!(
            "rustdoc's JSON has the format {}, not {FORMAT}",
            format["format_version"]
        ));
    }
    let interface = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build();
    Ok(interface.map_err(|error| error.to_string())?.to_string())
}

fn is_described(interface: &str) -> Result<(), String> {
    let path = project().join("abi/kref-crate.txt");
    if std::env::var_os("KREF_ABI").is_some_and(|value| value == "write") {
        std::fs::write(path, interface).unwrap();
        return Ok(());
    }
    let described = std::fs::read_to_string(path).unwrap();
    let lines = |text: &str| text.lines().map(str::to_string).collect::<BTreeSet<_>>();
    let (before, now) = (lines(&described), lines(interface));
    let gone = before.difference(&now).map(|line| format!("- {line}\n"));
    let new = now.difference(&before).map(|line| format!("+ {line}\n"));
    let changes: String = gone.chain(new).collect();
    if changes.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the crate's interface is not that of abi/kref-crate.txt any more. If this is meant: write a line in \
         CHANGELOG.md, raise the minor version where something is gone, and run\n  \
         KREF_ABI=write cargo test -p kref-c-tests --test package\n{changes}"
    ))
}
