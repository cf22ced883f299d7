//! The man pages: one for each section of a header, kref(3), which lists them, kref(7), kref-track(1), and a
//! link to the right page for each name.

use std::collections::BTreeMap;

use crate::Project;
use crate::declaration::{Declaration, Kind};
use crate::header::{Entry, Header, Section};
use crate::names::Index;
use crate::roff::{Page, bold};
use crate::synopsis;
use crate::text::{Block, blocks};

/// A section of a header that becomes a page.
struct Topic<'a> {
    page: String,
    title: String,
    header: &'a Header,
    section: &'a Section,
}

/// Each file below man/, and its text.
pub fn all(project: &Project) -> BTreeMap<String, String> {
    let topics = topics(&project.headers);
    let mut index = Index::default();
    for topic in &topics {
        for entry in &topic.section.entries {
            index.add(entry, &topic.page, &topic.header.name);
        }
    }
    let mut files = BTreeMap::new();
    for topic in &topics {
        let page = Page::new(&topic.page, '3', &index, &project.version, &project.date);
        let text =
            if topic.page == "kref" { list(page, topic, &topics) } else { about(page, topic) };
        files.insert(format!("man3/{}.3", topic.page), text);
    }
    for (name, page) in index.pages.iter().filter(|(name, page)| name != page) {
        let link = format!(".so man3/{page}.3\n");
        files.entry(format!("man3/{name}.3")).or_insert(link);
    }
    let page = |name, section| Page::new(name, section, &index, &project.version, &project.date);
    files.insert("man7/kref.7".into(), overview(page("kref", '7'), project));
    files.insert("man1/kref-track.1".into(), command(page("kref-track", '1'), project));
    files
}

/// The sections that declare something, and kref.h's first page.
fn topics(headers: &[Header]) -> Vec<Topic<'_>> {
    let mut topics = Vec::new();
    for header in headers {
        for (place, section) in header.sections.iter().enumerate() {
            let all = || section.entries.iter().flat_map(|entry| &entry.declarations);
            let function =
                all().find(|found| [Kind::Function, Kind::Inlined].contains(&found.kind));
            let called = || all().find(|found| found.is_called());
            let first = function.or_else(called).or(all().next()).map(|found| found.name.clone());
            let page = match place {
                0 if header.name == "kref.h" => Some("kref".into()),
                0 if header.name.ends_with(".hpp") => Some(header.name.clone()),
                _ => first,
            };
            let title = if section.title.is_empty() { &header.title } else { &section.title };
            let title = lowercase(title);
            topics.extend(page.map(|page| Topic { page, title, header, section }));
        }
    }
    topics
}

/// `A slot` is `a slot`, and KREF_DEFINE stays.
fn lowercase(title: &str) -> String {
    let mut letters = title.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => title.into(),
    }
}

/// What a program includes.
pub fn include(header: &Header) -> &str {
    match header.name.strip_prefix("kref/linux/") {
        Some(_) => header.name.strip_prefix("kref/").expect("just seen"),
        None if header.name.ends_with(".hpp") => &header.name,
        None => "kref.h",
    }
}

/// NAME, LIBRARY and SYNOPSIS.
fn opening(page: &mut Page, topic: &Topic) {
    let all = || topic.section.entries.iter().flat_map(|entry| &entry.declarations);
    let mut names = vec![&*topic.page];
    names.extend(all().map(|found| &*found.name).filter(|name| *name != topic.page));
    page.section("NAME");
    page.names(&names, &topic.title);
    page.section("LIBRARY");
    let package = if include(topic.header).starts_with("linux/") { "kref-linux" } else { "kref" };
    page.paragraph(&format!("libkref: `$(pkg-config --cflags --libs {package})`"));
    page.section("SYNOPSIS");
    let include = format!("#include <{}>", include(topic.header));
    let mut lines = vec![bold(&include), String::new()];
    for entry in &topic.section.entries {
        lines.extend(entry.declarations.iter().flat_map(synopsis::lines));
    }
    if lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    page.synopsis(&lines);
}

/// A page about a section of a header.
fn about(mut page: Page, topic: &Topic) -> String {
    let (header, section) = (topic.header, topic.section);
    opening(&mut page, topic);
    page.section("DESCRIPTION");
    // The header's first comment is on its first page.
    let place = header.sections.iter().position(|other| std::ptr::eq(other, section));
    let before = place.map_or(&[][..], |place| &header.sections[..place]);
    if before.iter().all(|before| before.entries.is_empty()) && header.name != "kref.h" {
        before.iter().take(1).for_each(|first| page.blocks(&first.text));
    }
    page.blocks(&section.text);
    page.paragraph(
        "What holds for all functions (threads, signal handlers, memory orderings, misuse) is in \
         `kref`(7).",
    );
    for entry in &section.entries {
        describe(&mut page, entry);
    }
    for (field, title) in [("Returns", "RETURN VALUE"), ("Defined", "STANDARDS")] {
        let values = grouped(section, field);
        if !values.is_empty() {
            page.section(title);
        }
        for (functions, value) in values {
            page.tagged(&functions.join(", "), value);
        }
    }
    page.see_also(&[('3', "kref"), ('7', "kref")]);
    page.text
}

/// A declaration's name, with `()` if it is a function.
fn shown(entry: &Entry) -> Vec<String> {
    let name = |found: &Declaration| {
        format!("{}{}", found.name, if found.is_called() { "()" } else { "" })
    };
    let mut names: Vec<_> = entry.declarations.iter().map(name).collect();
    names.dedup();
    names
}

/// What an entry says, without what it returns.
fn describe(page: &mut Page, entry: &Entry) {
    let fields =
        || entry.fields.iter().filter(|(name, _)| !["Returns", "Defined"].contains(&&**name));
    let members = || entry.declarations.iter().flat_map(|found| &found.members);
    if entry.text.is_empty() && fields().count() + members().count() == 0 {
        return;
    }
    page.subsection(&shown(entry).join(", "));
    page.blocks(&entry.text);
    for (name, value) in members() {
        page.tagged(&bold(name), value);
    }
    for (name, value) in fields() {
        page.tagged(&format!("\\fI{name}\\fR"), value);
    }
}

/// The functions with the same value of a field, and the value. Only what a header says is shown.
fn grouped<'a>(section: &'a Section, field: &str) -> Vec<(Vec<String>, &'a str)> {
    let mut groups: Vec<(Vec<String>, &str)> = Vec::new();
    for entry in &section.entries {
        let found = entry.fields.iter().find(|(name, _)| name == field);
        let Some((_, value)) = found.filter(|(_, value)| value != "here.") else { continue };
        let names = shown(entry).into_iter().map(|name| {
            let plain = name.trim_end_matches("()");
            format!("{}{}", bold(plain), &name[plain.len()..])
        });
        match groups.iter_mut().find(|(_, known)| known == value) {
            Some((group, _)) => group.extend(names),
            None => groups.push((names.collect(), value)),
        }
    }
    groups
}

/// kref(3): all pages, with the names that they have.
fn list(mut page: Page, topic: &Topic, topics: &[Topic]) -> String {
    opening(&mut page, topic);
    page.section("DESCRIPTION");
    page.paragraph(
        "`kref`(7) has the rules, an example, and what holds for all functions. The functions are \
         in these pages:",
    );
    let mut others = vec![('1', "kref-track"), ('7', "kref")];
    for other in topics.iter().filter(|other| other.page != topic.page) {
        let all: Vec<_> = other.section.entries.iter().flat_map(shown).collect();
        let names: Vec<_> =
            all.iter().map(|name| format!("`{}`", name.trim_end_matches("()"))).collect();
        let tag = format!("{}(3): {}", bold(&other.page), page.marked(&other.title));
        let words = match names[..] {
            [] => format!("`#include <{}>`", include(other.header)),
            _ => names.join(", ") + ".",
        };
        page.tagged(&tag, &words);
        others.push(('3', &other.page));
    }
    for entry in &topic.section.entries {
        describe(&mut page, entry);
    }
    page.see_also(&others);
    page.text
}

/// kref(7): the first page of kref.h, and the guides about misuse and options.
fn overview(mut page: Page, project: &Project) -> String {
    let header = &project.headers[0];
    page.section("NAME");
    page.names(&["kref"], &header.title);
    page.section("SYNOPSIS");
    let command = "cc program.c $(pkg-config --cflags --libs kref)";
    page.synopsis(&[bold("#include <kref.h>"), String::new(), bold(command)]);
    page.section("DESCRIPTION");
    page.blocks(&header.sections[0].text);
    for (title, guide) in [("VIOLATIONS", &project.violations), ("ENVIRONMENT", &project.options)] {
        page.section(title);
        page.blocks(&without_title(guide));
    }
    page.see_also(&[('1', "kref-track"), ('3', "kref")]);
    page.text
}

fn without_title(guide: &str) -> Vec<Block> {
    let mut found = blocks(guide);
    found.retain(|block| !matches!(block, Block::Heading(1, _)));
    found
}

/// Without the section of this name.
fn without_section(blocks: Vec<Block>, name: &str) -> Vec<Block> {
    let mut inside = false;
    let kept = blocks.into_iter().filter(|block| {
        if let Block::Heading(_, words) = block {
            inside = words == name;
        }
        !inside
    });
    kept.collect()
}

/// kref-track(1): its help, and the guide.
fn command(mut page: Page, project: &Project) -> String {
    let mut parts = project.help.split("\n\n");
    let title = parts.next().and_then(|line| line.split_once(" - "));
    page.section("NAME");
    page.names(&["kref-track"], title.map_or("", |(_, title)| title));
    let (options, words): (Vec<_>, Vec<_>) = parts.partition(|part| part.starts_with("  -"));
    let mut title = "DESCRIPTION";
    for part in words {
        if let Some(usage) = part.strip_prefix("usage: ") {
            page.section("SYNOPSIS");
            let lines: Vec<_> = usage.lines().map(|line| bold(line.trim())).collect();
            page.synopsis(&lines);
            page.section(title);
        } else if let Some(example) = part.strip_prefix("example: ") {
            page.section("EXAMPLES");
            page.code(example.trim());
            page.blocks(&without_section(without_title(&project.tracking), "What it costs"));
        } else {
            page.paragraph(&part.replace('\n', " "));
            if title == "DESCRIPTION" {
                title = "NOTES";
                page.section("OPTIONS");
                for option in options.iter().flat_map(|options| split_options(options)) {
                    page.tagged(&bold(&option.0), &option.1);
                }
                page.section(title);
            }
        }
    }
    page.see_also(&[('7', "kref"), ('3', "kref")]);
    page.text
}

/// `  --depth N   words`, with more words in the lines below.
fn split_options(lines: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in lines.lines() {
        match (line.strip_prefix("  -"), found.last_mut()) {
            (Some(option), _) => {
                let (tag, words) = option.split_once("  ").unwrap_or((option, ""));
                found.push((format!("-{tag}"), words.trim().into()));
            }
            (None, Some((_, words))) => *words = format!("{words} {}", line.trim()),
            (None, None) => {}
        }
    }
    found
}
