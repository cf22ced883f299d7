//! Makes the web site and follows its links: each page is reached from the first one, and no link leads to
//! nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, ExitCode};

use kref_c_tests::{folder, make_in, printed, project, unless_missing};
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let trials = vec![
        Trial::ignorable_test("every_link_of_the_site_leads_somewhere", || {
            unless_missing(mkdocs(), |()| {
                every_link_of_the_site_leads_somewhere();
                Ok(())
            })
        }),
        Trial::test("a_dead_link_is_found", || {
            a_dead_link_is_found();
            Ok(())
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// mkdocs 1.6, as the variable MKDOCS names it for make. Debian 12 has 1.4 without some scripts of its pages.
fn mkdocs() -> Result<(), String> {
    let command = std::env::var("MKDOCS").unwrap_or_else(|_| "mkdocs".into());
    let mut words = command.split_whitespace();
    let found =
        Command::new(words.next().unwrap_or("mkdocs")).args(words).arg("--version").output();
    let version = String::from_utf8(found.map(|found| found.stdout).unwrap_or_default());
    match version.expect("UTF-8").split_once("version 1.") {
        Some((_, minor))
            if minor.split('.').next().unwrap().parse().is_ok_and(|minor: u32| minor >= 6) =>
        {
            Ok(())
        }
        _ => Err(format!("no {command} 1.6")),
    }
}

/// The text of each page, by its path in the site: `headers/kref.h.html`.
type Pages = BTreeMap<String, String>;

fn every_link_of_the_site_leads_somewhere() {
    let target = folder("site");
    printed(make_in(project()).arg("docs").arg(format!("TARGET_DIR={}", target.display())));
    let site = target.join("docs");
    let found = printed(Command::new("find").args([".", "-type", "f"]).current_dir(&site));
    let files: BTreeSet<String> =
        found.lines().map(|line| line.trim_start_matches("./").to_string()).collect();
    let read = |name: &String| (name.clone(), std::fs::read_to_string(site.join(name)).unwrap());
    let pages: Pages = files.iter().filter(|name| name.ends_with(".html")).map(read).collect();

    let dead = dead_links(&pages, &files);
    assert!(dead.is_empty(), "{dead:#?}");
    let reached = reached(&pages);
    let lost = |name: &&String| !["404.html", "search.html"].contains(&name.as_str());
    let lost: Vec<_> = pages.keys().filter(lost).filter(|name| !reached.contains(*name)).collect();
    assert!(lost.is_empty(), "no page has a link to {lost:?}");
    for page in ["headers/kref.h.html", "tracking.html", "CHANGELOG.html"] {
        assert!(reached.contains(page), "no {page}");
    }
    // The site is for a reader without a network, too.
    let loaded = pages.values().flat_map(|text| attributes(text, "src"));
    assert_eq!(loaded.filter(|from| from.contains("//")).collect::<Vec<_>>(), [""; 0]);
}

/// The values of an attribute.
fn attributes<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    text.split(&*start).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// The file that a link of `page` leads to, and the place in it. None for another site.
fn target(page: &str, link: &str) -> Option<(String, String)> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, place) = link.split_once('#').unwrap_or((link, ""));
    let folder = Path::new(page).parent().expect("a file is in a folder");
    let mut parts: Vec<&str> = folder.iter().map(|part| part.to_str().unwrap()).collect();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            _ => parts.push(part),
        }
    }
    let file = if path.is_empty() { page.into() } else { parts.join("/") };
    Some((file, place.into()))
}

fn dead_links(pages: &Pages, files: &BTreeSet<String>) -> Vec<String> {
    let mut dead = Vec::new();
    // The server shows 404.html for any address, so its links begin at the root.
    for (page, text) in pages.iter().filter(|(page, _)| *page != "404.html") {
        for link in [attributes(text, "href"), attributes(text, "src")].concat() {
            let Some((file, place)) = target(page, link) else { continue };
            let there =
                |text: &String| place.is_empty() || attributes(text, "id").contains(&&*place);
            if !files.contains(&file) || !pages.get(&file).is_none_or(there) {
                dead.push(format!("{page}: {link}"));
            }
        }
    }
    dead
}

/// The pages that a reader of index.html comes to.
fn reached(pages: &Pages) -> BTreeSet<String> {
    let (mut reached, mut next) = (BTreeSet::new(), vec!["index.html".to_string()]);
    while let Some(page) = next.pop() {
        let Some(text) = pages.get(&page) else { continue };
        if reached.insert(page.clone()) {
            let links = attributes(text, "href").into_iter();
            next.extend(links.filter_map(|link| target(&page, link)).map(|(file, _)| file));
        }
    }
    reached
}

fn a_dead_link_is_found() {
    let pages = Pages::from([
        ("a/b.html".into(), r##"<h1 id="x"> <a href="#x"> <a href="../c.html#y">"##.into()),
        (
            "c.html".into(),
            r#"<a href="a/b.html#x"> <a href="a/b.html#z"> <img src="d.svg">"#.into(),
        ),
    ]);
    let files = pages.keys().cloned().collect();
    let dead = dead_links(&pages, &files);
    assert_eq!(dead, ["a/b.html: ../c.html#y", "c.html: a/b.html#z", "c.html: d.svg"]);
    assert!(reached(&pages).is_empty());
}
