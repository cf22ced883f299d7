//! Checks the structure of src/: a module uses only modules that are listed below it in lib.rs, the mod.rs of each
//! folder begins with a page of documentation, and the documents name what exists.
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
    all_files(&source().join(module))
}

/// The code of a file, without comments.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The names that lib.rs re-exports, with their modules: `Kref` belongs to `kref`.
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

/// docs/unsafe.md lists how many `unsafe` blocks each file has, by their reasons, and the tests of each kind
/// of reason.
#[test]
fn each_unsafe_block_is_on_the_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/unsafe.md")).unwrap();
    let rows = || page.lines().filter_map(|line| line.strip_prefix("| "));
    let kinds: Vec<&str> = rows().map(first_word).filter(|word| !word.contains('/')).collect();
    let mut listed = BTreeMap::new();
    for row in rows().filter(|row| row.starts_with("src/")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        listed.insert(cells[0].to_string(), cells[1].parse::<usize>().unwrap());
        for kind in cells[2].split(", ") {
            assert!(kinds.contains(&kind), "docs/unsafe.md: no kind \"{kind}\"");
        }
    }
    let mut found = BTreeMap::new();
    for file in all_files(&source()) {
        let name = file.strip_prefix(root).unwrap().display().to_string();
        let blocks = fs::read_to_string(&file).unwrap().matches("SAFETY:").count();
        if blocks > 0 {
            found.insert(name, blocks);
        }
    }
    assert_eq!(
        found, listed,
        "the numbers of docs/unsafe.md; see whether its reasons and tests still hold"
    );
}

/// A public item is in the documentation. An item that is for libkref alone is private, or behind a feature.
#[test]
fn nothing_public_is_hidden() {
    for file in all_files(&source()) {
        assert!(!code(&file).contains("doc(hidden)"), "{}", file.display());
    }
}

/// Each file that the documents name in backquotes must exist.
#[test]
fn the_pages_name_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in ["docs/unsafe.md", "docs/design.md", "SECURITY.md", "CONTRIBUTING.md", "README.md"]
    {
        let text = fs::read_to_string(root.join(page)).unwrap();
        let words = text.split('`').skip(1).step_by(2);
        let ours = |word: &&str| {
            let folder = word.split('/').next().unwrap();
            let plain =
                !word.contains(['*', ' ', '\n', '{']) && word.chars().all(|c| !c.is_uppercase());
            word.contains('/')
                && plain
                && ["src", "tests", "c-tests", "fuzz", "models"].contains(&folder)
        };
        for word in words.filter(ours) {
            assert!(root.join(word).exists(), "{page} names {word}, which does not exist");
        }
    }
}

/// A newcomer reads the README in one go.
#[test]
fn the_readme_is_short() {
    let readme = read("README.md");
    assert!(readme.lines().count() <= 150, "README.md has {} lines", readme.lines().count());
}

/// docs/options.md has a row for each key of KREF_OPTIONS and for each option of kref-track, and `kref-track --help`
/// has each option. (A test of kref-track compares the completions of the shells with its help.)
#[test]
fn each_option_is_on_the_page() {
    let page = read("docs/options.md");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).collect();
    let has_row = |word: &str| rows.iter().any(|row| row.contains(word));
    let (core, tracker) = (read("src/options.rs"), read("track/src/options.rs"));
    let own = core.split("b\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let own: Vec<&str> = own.filter(|word| has_letters(word)).collect();
    assert!(own.contains(&"track") && own.contains(&"abort"), "{own:?}");
    for word in own {
        assert!(has_row(word), "docs/options.md has no {word}, which src/options.rs reads");
    }

    let (code, _) = tracker.split_once("#[cfg(test)]").unwrap();
    let reads = code.split_once("pub fn parse").unwrap().1.split_once("\nconst ").unwrap().0;
    let arms = reads.lines().filter(|line| line.contains("=>"));
    let keys = arms.filter_map(|line| line.trim().strip_prefix('"')?.split_once('"'));
    let keys: Vec<&str> = keys.map(|(key, _)| key).collect();
    // The core reads the first two. The others are values.
    let keys: Vec<&str> = keys
        .into_iter()
        .filter(|key| !["track", "on_violation", "json", "text"].contains(key))
        .collect();
    assert!(keys.len() > 12, "{keys:?}");
    for key in &keys {
        let flag = format!("--{}", key.replace('_', "-"));
        assert!(
            has_row(&format!("`{key}=")) || *key == "keep_freed",
            "docs/options.md has no {key}="
        );
        assert!(has_row(&format!("`{flag}")), "docs/options.md has no {flag}");
    }
    let help = read("track/src/command.rs");
    let help = help.split_once("const HELP").unwrap().1.split_once("\";").unwrap().0;
    let flags = help.lines().filter_map(|line| line.strip_prefix("  --"));
    let flags: Vec<&str> = flags.map(|line| line.split([' ', ',']).next().unwrap()).collect();
    assert!(flags.len() > keys.len(), "{flags:?}");
    for flag in flags.iter().filter(|flag| **flag != "help") {
        assert!(
            has_row(&format!("--{flag}")),
            "docs/options.md has no --{flag} of kref-track --help"
        );
    }
    for key in keys {
        let flag = key.replace('_', "-");
        assert!(flags.contains(&&*flag), "kref-track --help has no --{flag}");
    }
}

fn has_letters(word: &str) -> bool {
    word.len() > 1 && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The Rust files of a folder and of the folders in it.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|ext| ext == "rs"));
    files.chain(folders.iter().flat_map(|folder| all_files(folder))).collect()
}

fn first_word(row: &str) -> &str {
    row.split_whitespace().next().unwrap()
}
