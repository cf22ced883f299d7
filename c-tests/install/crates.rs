//! The crates that are linked into what `make install` installs: sbom.cdx.json, a CycloneDX list of them, and
//! track/third-party.txt, their licences. Both are in the repository, since `make install` needs no cargo.
//! `KREF_CRATES=write` writes them anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use kref_c_tests::{plain, printed, project, version};
use libtest_mimic::Arguments;
use serde_json::{Value, json};

fn main() -> ExitCode {
    let trials = vec![
        plain("the_sbom_is_of_what_is_linked", || compare("sbom.cdx.json", sbom())),
        plain("the_licences_are_of_what_is_linked", || {
            compare("track/third-party.txt", licences());
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn compare(file: &str, wanted: String) {
    let path = project().join(file);
    if std::env::var("KREF_CRATES").is_ok_and(|value| value == "write") {
        std::fs::write(&path, &wanted).unwrap();
    }
    let is = std::fs::read_to_string(&path).unwrap_or_default();
    let mend = "KREF_CRATES=write cargo test -p kref-c-tests --test crates";
    assert!(is == wanted, "{file} is not of the crates in Cargo.lock. To write it: {mend}");
}

/// A package that is linked: a crate, libkref or its tracker.
struct Package {
    /// The place of its source.
    folder: PathBuf,
    /// An SPDX expression.
    licence: String,
    /// Whether it is from crates.io.
    is_foreign: bool,
    needs: BTreeSet<Name>,
}

/// A package's name and version.
type Name = (String, String);

fn linked() -> BTreeMap<Name, Package> {
    let known = cargo(&["metadata", "--format-version", "1"]);
    let known: Value = serde_json::from_str(&known).expect("JSON");
    let known: BTreeMap<Name, &Value> = known["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .map(|package| ((text(&package["name"]), text(&package["version"])), package))
        .collect();
    let mut linked = BTreeMap::new();
    for root in ["kref", "kref-track", "kref-track-record"] {
        // Each line is `DEPTH NAME vVERSION ...`, below the line of the package that needs it.
        let tree = cargo(&[
            "tree",
            "--edges=normal",
            "--target=x86_64-unknown-linux-gnu",
            "--no-dedupe",
            "--prefix=depth",
            "--format= {p}",
            "--package",
            root,
        ]);
        let mut above: Vec<Name> = Vec::new();
        for line in tree.lines() {
            let mut words = line.split_whitespace();
            let mut word = || words.next().expect("three words");
            let depth: usize = word().parse().expect("a depth");
            let name = (word().to_string(), word().trim_start_matches('v').to_string());
            above.truncate(depth);
            if let Some(needs) = above.last() {
                let package: &mut Package = linked.get_mut(needs).expect("a line above");
                package.needs.insert(name.clone());
            }
            linked.entry(name.clone()).or_insert_with(|| package(known[&name]));
            above.push(name);
        }
    }
    linked
}

fn package(known: &Value) -> Package {
    Package {
        folder: Path::new(&text(&known["manifest_path"])).parent().expect("a folder").to_path_buf(),
        licence: text(&known["license"]).replace('/', " OR "),
        is_foreign: !known["source"].is_null(),
        needs: BTreeSet::new(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_string()
}

fn cargo(arguments: &[&str]) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    printed(cargo.args(arguments).args(["--locked", "--quiet"]).current_dir(project()))
}

fn sbom() -> String {
    let lock = std::fs::read_to_string(project().join("Cargo.lock")).unwrap();
    let linked = linked();
    let reference = |(name, version): &Name| format!("{name}@{version}");
    let components: Vec<_> = linked
        .iter()
        .map(|(name, package)| {
            let mut component = json!({
                "type": "library",
                "bom-ref": reference(name),
                "name": name.0,
                "version": name.1,
                "licenses": [{ "expression": package.licence }],
            });
            if package.is_foreign {
                component["purl"] = json!(format!("pkg:cargo/{}", reference(name)));
                component["hashes"] =
                    json!([{ "alg": "SHA-256", "content": checksum(&lock, name) }]);
            }
            component
        })
        .collect();
    let needs = |(name, package): (&Name, &Package)| {
        let needs: Vec<_> = package.needs.iter().map(reference).collect();
        json!({ "ref": reference(name), "dependsOn": needs })
    };
    let sbom = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": {
            "type": "library",
            "name": "libkref",
            "version": version(),
            "licenses": [{ "expression": "MIT OR Apache-2.0" }],
        } },
        "components": components,
        "dependencies": linked.iter().map(needs).collect::<Vec<_>>(),
    });
    serde_json::to_string_pretty(&sbom).unwrap() + "\n"
}

/// The checksum that Cargo.lock has of a crate.
fn checksum(lock: &str, (name, version): &Name) -> String {
    let head = format!("name = \"{name}\"\nversion = \"{version}\"\n");
    let entry = lock.split("\n\n").find(|entry| entry.contains(&head)).expect("an entry");
    let sum =
        entry.lines().find_map(|line| line.strip_prefix("checksum = \"")).expect("a checksum");
    sum.trim_end_matches('"').to_string()
}

/// Each licence text once, below the names of the crates that have it. If a crate offers several licences, the MIT
/// text.
fn licences() -> String {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ((name, version), package) in linked().iter().filter(|(_, package)| package.is_foreign) {
        let mut files: Vec<_> = std::fs::read_dir(&package.folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("LICENSE"))
            .collect();
        files.sort_by_key(|path| (!path.to_string_lossy().contains("LICENSE-MIT"), path.clone()));
        let file = files.first().unwrap_or_else(|| panic!("{name} has no licence's text"));
        let text = std::fs::read_to_string(file).unwrap().replace('\r', "");
        let text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        assert!(text.contains("Permission is hereby granted"), "{name}: {}", file.display());
        texts
            .entry(text.trim_matches('\n').to_string())
            .or_default()
            .push(format!("{name} {version}"));
    }
    let mut texts: Vec<_> =
        texts.into_iter().map(|(text, crates)| (crates.join(", "), text)).collect();
    texts.sort();
    let head = "kref-track contains these crates, under the MIT licence; libkref.so and libkref_track.so contain\n\
                libc alone. kref-track also contains Rust's standard library, and both libraries a part of it.\n\
                A Rust toolchain has its licences in the file share/doc/rust/COPYRIGHT-library.html.\n";
    let rule = "-".repeat(80);
    texts.iter().fold(head.to_string(), |all, (crates, text)| {
        format!("{all}\n{rule}\n{crates}\n\n{text}\n")
    })
}
