//! Checks the man pages: they are what the headers say, each public name has one, and no formatter warns.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use kref_c_tests::{plain, project, run, unless_missing};
use kref_manual::{Project, header_files, names, pages};
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let needs = |command: &'static str, test: fn()| {
        Trial::ignorable_test(format!("{command}_warns_of_nothing"), move || {
            unless_missing(have(command), |()| {
                test();
                Ok(())
            })
        })
    };
    let trials = vec![
        plain("the_pages_are_what_the_headers_say", the_pages_are_what_the_headers_say),
        plain("each_public_name_has_a_page", each_public_name_has_a_page),
        plain("each_internal_name_exists", each_internal_name_exists),
        needs("mandoc", mandoc),
        needs("groff", groff),
        needs("man", man),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn have(command: &str) -> Result<(), String> {
    let found = Command::new(command).arg("--version").output();
    found.map(|_| ()).map_err(|_| format!("no {command}"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files below man/, such as `man3/kref_init.3`, and their text.
fn committed() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for section in ["man1", "man3", "man7"] {
        for entry in std::fs::read_dir(project().join("man").join(section)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            files.insert(format!("{section}/{name}"), read(&path));
        }
    }
    files
}

fn the_pages_are_what_the_headers_say() {
    let (made, committed) = (pages::all(&Project::read(project())), committed());
    let names: BTreeSet<_> = made.keys().chain(committed.keys()).collect();
    let differ: Vec<_> =
        names.into_iter().filter(|name| made.get(*name) != committed.get(*name)).collect();
    assert!(differ.is_empty(), "not what the headers say: {differ:?}. To mend it: make man");
}

/// The names that the headers define and that the library exports, found in another way than the pages are.
fn all_names() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    // A .hpp has one page, its first comment.
    let headers = header_files(project()).into_iter().filter(|header| !header.ends_with(".hpp"));
    for header in headers {
        let text = read(project().join("include").join(&header));
        for line in text.lines() {
            let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            let starts = |start: &str| line.starts_with(start);
            found.extend(match words[..] {
                ["", "define", name, ..] if starts("#define ") => Some(name.to_string()),
                ["struct" | "enum", name, ..] if line.ends_with('{') => Some(name.to_string()),
                ["typedef", "void", "", "", name, ..] => Some(name.to_string()),
                ["typedef", .., name, ""] => Some(name.to_string()),
                ["typedef", "void", name, ..] => Some(name.to_string()),
                _ => None,
            });
        }
    }
    let guard = |name: &String| name.ends_with("_H") || name.is_empty();
    found.retain(|name| !guard(name));
    let abi = read(project().join("abi/kref.abi"));
    let symbols = abi.split("<elf-symbol name='").skip(1);
    found.extend(symbols.map(|rest| rest.split('\'').next().unwrap().to_string()));
    found
}

fn each_public_name_has_a_page() {
    let pages = committed();
    let names = all_names();
    assert!(names.contains("kref_get") && names.contains("KREF_DEFINE"), "{names:?}");
    for name in names.iter().filter(|name| !names::is_internal(name)) {
        let page = pages.get(&format!("man3/{name}.3"));
        let page = page.unwrap_or_else(|| {
            panic!("{name} has no man page: make man, or list it in man/tool/src/names.rs")
        });
        let target = page.strip_prefix(".so ").map_or(page, |link| {
            pages.get(link.trim_end()).unwrap_or_else(|| panic!("{name}.3 names {link}"))
        });
        assert!(target.contains(name.as_str()), "the page of {name} does not name it");
    }
}

/// A name that no header has any more must not stay in the list.
fn each_internal_name_exists() {
    let mut text = String::new();
    for header in header_files(project()) {
        text += &read(project().join("include").join(header));
    }
    let words: BTreeSet<_> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    for pattern in names::INTERNAL {
        assert!(words.iter().any(|word| names::matches(pattern, word)), "no header has {pattern}");
    }
}

/// The pages that are no link.
fn written() -> Vec<PathBuf> {
    let pages = committed().into_iter().filter(|(_, text)| !text.starts_with(".so "));
    pages.map(|(name, _)| project().join("man").join(name)).collect()
}

fn mandoc() {
    let said = run(Command::new("mandoc").args(["-T", "lint"]).args(written())).output;
    // The names are case-sensitive: kref_init(3) is a function, KREF_INIT(3) a macro.
    let lines =
        said.lines().filter(|line| !line.contains("lower case character in document title"));
    assert_eq!(lines.collect::<Vec<_>>(), [""; 0]);
}

fn groff() {
    for page in written() {
        let said = run(Command::new("groff").args(["-man", "-ww", "-z", "-Tutf8"]).arg(&page));
        assert_eq!((said.success, &*said.output), (true, ""), "{}", page.display());
    }
}

/// As a user reads them: `man kref_get`, through the links.
fn man() {
    for (name, wanted) in
        [("kref_get", "kref_put_many"), ("KREF_INIT", "KREF_MAX"), ("kref-track", "--keep-freed")]
    {
        let mut man = Command::new("man");
        man.arg("--warnings").arg("-M").arg(project().join("man")).arg(name);
        let said = run(man.env("LC_ALL", "C.UTF-8").env("MANPAGER", "cat").env("MANWIDTH", "80"));
        assert!(said.success && said.output.contains(wanted), "{name}:\n{}", said.output);
        assert!(!said.output.contains("warning"), "{}", said.output);
    }
}
