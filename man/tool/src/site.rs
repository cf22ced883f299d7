//! The source of the web site, in Markdown for mkdocs: a page for each header, and the guides of docs/, whose
//! names of functions become links.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::Project;
use crate::header::{Entry, Header, Section};
use crate::markdown::{Links, blocks, cell, marked};
use crate::names::{Index, names};
use crate::pages::include;
use crate::synopsis;

/// The pages beside docs/ that the guides name.
const OTHERS: [&str; 3] = ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];

/// Each file, and its text. `root` is the project's folder.
pub fn all(project: &Project, root: &Path) -> BTreeMap<String, String> {
    let read = |file: &str| {
        fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    };
    // The others are for libkref alone.
    let read_by_users =
        |header: &&Header| header.name.ends_with(".hpp") || header.entries().next().is_some();
    let headers = || project.headers.iter().filter(read_by_users);
    let mut index = Index::default();
    for header in headers() {
        header.entries().for_each(|entry| index.add(entry, "", &page_of(header)));
    }

    let readme = read("README.md");
    let mut guides: Vec<String> = files(&root.join("docs"), "md");
    // In the order of the table at the end of the README, and then those that it does not name.
    guides.sort_by_key(|name| (readme.rfind(name).unwrap_or(usize::MAX), name.clone()));
    let mut pages = BTreeMap::new();
    let guide = |text: &str| linked(text, &Links::new("", &index));
    pages.insert("index.md".to_string(), guide(&readme.replace("](docs/", "](")));
    for name in &guides {
        pages.insert(name.clone(), guide(&read(&format!("docs/{name}"))));
    }
    for name in OTHERS {
        pages.insert(name.into(), guide(&read(name).replace("](docs/", "](")));
    }
    for picture in files(&root.join("docs"), "svg") {
        pages.insert(picture.clone(), read(&format!("docs/{picture}")));
    }
    for header in headers() {
        pages.insert(page_of(header), page(header, &Links::new("../", &index)));
    }

    let headers: Vec<_> = headers().map(page_of).collect();
    let others = OTHERS.map(str::to_string);
    let groups = [("Guides", &guides[..]), ("Headers", &headers), ("The project", &others)];
    let mut files = BTreeMap::from([
        ("mkdocs.yml".into(), configuration(&groups, &pages)),
        ("pages/style.css".into(), include_str!("style.css").into()),
    ]);
    files.extend(pages.into_iter().map(|(name, text)| (format!("pages/{name}"), text)));
    files
}

/// The names of the files in a folder that end so.
fn files(folder: &Path, extension: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("docs/").map(|entry| entry.expect("docs/").path());
    let files = entries.filter(|path| path.extension().is_some_and(|found| found == extension));
    files.map(|path| path.file_name().unwrap().to_str().expect("UTF-8").to_string()).collect()
}

/// `kref/slot.h` is `headers/kref-slot.h.md`.
fn page_of(header: &Header) -> String {
    format!("headers/{}.md", header.name.replace('/', "-"))
}

/// `groups`: the menu, and `pages` the text of each page.
fn configuration(groups: &[(&str, &[String])], pages: &BTreeMap<String, String>) -> String {
    let mut text = String::from(
        "site_name: libkref\ndocs_dir: pages\nsite_dir: ../docs\nuse_directory_urls: false\n\
         theme: {name: readthedocs, highlightjs: false}\nextra_css: [style.css]\nplugins: [search]\n\
         markdown_extensions: [tables, fenced_code, attr_list, sane_lists]\n\
         nav:\n- index.md\n",
    );
    for (title, names) in groups {
        writeln!(text, "- {title}:").unwrap();
        for name in *names {
            let heading = pages[name].lines().next().expect("a page has a heading");
            let heading = heading.trim_start_matches("# ").replace('`', "");
            writeln!(text, "  - \"{heading}\": {name}").unwrap();
        }
    }
    text
}

/// A guide, in which the name of a function is a link to its header: `` `kref_get()` ``.
fn linked(guide: &str, links: &Links) -> String {
    let (mut text, mut code) = (String::new(), false);
    for line in guide.split_inclusive('\n') {
        let fence = line.starts_with("```");
        code ^= fence;
        if code || fence || line.starts_with("    ") || line.starts_with('#') {
            text += line;
            continue;
        }
        for (place, part) in line.split('`').enumerate() {
            let in_link = text.ends_with('[');
            match place % 2 {
                0 => text += part,
                _ if in_link => write!(text, "`{part}`").unwrap(),
                _ => text += &links.code(part),
            }
        }
    }
    text
}

/// A header's page.
fn page(header: &Header, links: &Links) -> String {
    let include = include(header);
    let name = header.name.replace("kref/linux/", "linux/");
    let mut text = format!("# {name}\n\n{}\n\n", marked(&header.title, links));
    write!(text, "```c\n#include <{include}>\n```\n\n").unwrap();
    let written = |section: &&Section| !section.entries.is_empty() || section.title.is_empty();
    for section in header.sections.iter().filter(written) {
        if !section.title.is_empty() {
            write!(text, "## {}\n\n", marked(&section.title, &Links::none(links))).unwrap();
        }
        text += &blocks(&section.text, links);
        for entry in &section.entries {
            text += &described(entry, links);
        }
    }
    text
}

fn described(entry: &Entry, links: &Links) -> String {
    let mut found = entry.declarations.iter();
    let first = found.next().expect("an entry declares something");
    let mut text = String::new();
    for name in names(entry).skip(1) {
        write!(text, "<a id=\"{name}\"></a>").unwrap();
    }
    if !text.is_empty() {
        text += "\n\n";
    }
    let call = |name: &str, called: bool| format!("`{name}{}`", if called { "()" } else { "" });
    let mut titles: Vec<_> =
        entry.declarations.iter().map(|found| call(&found.name, found.is_called())).collect();
    titles.dedup();
    write!(text, "### {} {{#{}}}\n\n```c\n", titles.join(", "), first.name).unwrap();
    for declaration in &entry.declarations {
        for line in synopsis::plain(declaration) {
            writeln!(text, "{line}").unwrap();
        }
    }
    text += "```\n\n";
    text += &blocks(&entry.text, links);
    let members = entry.declarations.iter().flat_map(|found| &found.members);
    let members = members.map(|(name, value)| (format!("`{name}`"), value));
    let fields = entry.fields.iter().filter(|(_, value)| value != "here.");
    let fields = fields.map(|(name, value)| (name.clone(), value));
    let rows: Vec<_> = members.chain(fields).collect();
    if !rows.is_empty() {
        text += "| | |\n|---|---|\n";
        for (name, value) in rows {
            writeln!(text, "| {name} | {} |", cell(&marked(value, links))).unwrap();
        }
        text += "\n";
    }
    text
}
