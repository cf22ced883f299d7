//! The house of src/: a module uses only modules that stand below it, and each folder opens with a page.
#![cfg(not(loom))]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The modules in the order of lib.rs, from the top of the house to its bottom.
fn floors() -> Vec<String> {
    let lib = fs::read_to_string(source().join("lib.rs")).unwrap();
    let names = lib.lines().filter_map(|line| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        line.strip_prefix("mod ")?.strip_suffix(';')
    });
    names.map(str::to_string).collect()
}

/// The files of a top-level module: one file, or a folder.
fn files(module: &str) -> Vec<PathBuf> {
    let file = source().join(module).with_extension("rs");
    if file.exists() {
        return vec![file];
    }
    let entries = fs::read_dir(source().join(module)).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The code of a file, without comments.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// What lib.rs re-exports: `Kref` is `kref`'s.
fn reexports() -> BTreeMap<String, String> {
    let lib = code(&source().join("lib.rs"));
    let mut owners = BTreeMap::new();
    for statement in lib.split("pub use crate::").skip(1) {
        let (path, _) = statement.split_once(';').unwrap();
        let module = path.split("::").next().unwrap();
        let names = path.rsplit_once("::{").map_or_else(
            || path.rsplit_once("::").unwrap().1.to_string(),
            |(_, names)| names.replace(['}', '\n'], ""),
        );
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            owners.insert(name.to_string(), module.to_string());
        }
    }
    owners
}

/// Each top-level module that the code names: `crate::x::y`, `crate::{x, y}`, `$crate::x`.
fn uses(code: &str, owners: &BTreeMap<String, String>) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            Some(group) => group.split_once('}').unwrap().0,
            None => rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap(),
        };
        let names = names.split(',').map(|name| name.trim().split("::").next().unwrap());
        found.extend(names.map(|name| owners.get(name).map_or(name, String::as_str).to_string()));
    }
    found
}

#[test]
fn arrows_point_down_only() {
    let (floors, owners) = (floors(), reexports());
    let floor = |module: &str| {
        floors.iter().position(|name| name == module).unwrap_or_else(|| panic!("no {module}"))
    };
    let mut arrows = 0;
    for module in &floors {
        for file in files(module) {
            for used in uses(&code(&file), &owners).iter().filter(|used| *used != module) {
                arrows += 1;
                assert!(
                    floor(used) > floor(module),
                    "{} uses {used}, which stands above {module} in lib.rs",
                    file.display()
                );
            }
        }
    }
    assert!(arrows > 80, "{arrows} arrows are all that was found");
}

#[test]
fn a_module_above_is_found() {
    let owners = reexports();
    assert_eq!(uses("use crate::{Kref, sys};", &owners), ["kref", "sys"]);
    assert_eq!(uses("crate::report::report(kind)", &owners), ["report"]);
}

#[test]
fn each_folder_opens_with_a_page() {
    for module in floors().iter().filter(|module| source().join(module).is_dir()) {
        let text = fs::read_to_string(source().join(module).join("mod.rs")).unwrap();
        let page = text.lines().take_while(|line| line.starts_with("//!")).count();
        assert!(page >= 3, "src/{module}/mod.rs has no first page");
    }
}

/// The files of src/ with unsafe code, and the number of their SAFETY comments. Models are no part of the
/// library.
fn unsafe_code(folder: &Path, found: &mut BTreeMap<String, usize>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            unsafe_code(&path, found);
            continue;
        }
        let name = path.strip_prefix(source()).unwrap().display().to_string();
        let text = fs::read_to_string(&path).unwrap();
        let library = text.split("#[cfg(all(loom, test))]").next().unwrap();
        let comments = library.matches("// SAFETY:").count();
        let is_model = name.ends_with("models.rs") || name.ends_with("simulated.rs");
        if comments > 0 && !is_model {
            found.insert(name, comments);
        }
    }
}

#[test]
fn each_unsafe_block_has_a_test() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(project.join("docs/unsafe.md")).unwrap();
    let (kinds, files) = page.split_once("| files of src/").unwrap();
    let mut listed = BTreeMap::new();
    for row in files.lines().skip(2) {
        let [_, files, reasons, tests, _] = row.split('|').map(str::trim).collect::<Vec<_>>()[..]
        else {
            panic!("{row}")
        };
        for kind in reasons.split(", ") {
            assert!(kinds.contains(&format!("\n| {kind} |")), "{kind}: no such kind of reason");
        }
        for test in tests.split(", ") {
            assert!(project.join(test).is_file(), "{test}: no such test");
        }
        for file in files.split(", ") {
            let (file, comments) = file.rsplit_once(' ').unwrap();
            listed.insert(file.to_string(), comments.parse::<usize>().unwrap());
        }
    }
    let mut found = BTreeMap::new();
    unsafe_code(&source(), &mut found);
    assert_eq!(found, listed, "SAFETY comments of each file, and the table in docs/unsafe.md");
}
