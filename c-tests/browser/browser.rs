//! The page of format=html, in a browser: what it shows, that it sorts, that it loads nothing, and that no name of a
//! program becomes a script.
//!
//! Needs chromium, and fails without it. `make check` does not run these tests.

use std::path::{Path, PathBuf};

use chromium::Browser;
use kref_c_tests::kref_track::{compile, kref_track};
use kref_c_tests::{Compiler, c_tests, folder, plain, run};
use libtest_mimic::Arguments;
use serde_json::json;

mod chromium;
#[path = "../tracker/hostile.rs"]
mod hostile;

fn main() {
    let tests = vec![
        plain("a-page-shows-its-findings", shows),
        plain("a-page-sorts-by-mouse", sorts_by_mouse),
        plain("a-page-sorts-by-keyboard", sorts_by_keyboard),
        plain("a-page-without-scripts", without_scripts),
        plain("another-script-does-not-run", another_script),
        plain("a-flame-graph-zooms", zooms),
        plain("hostile-names-are-no-scripts", hostile_names),
        plain("a-script-that-runs-is-seen", hostile_names_as_markup),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit();
}

/// The page of a program, in a folder of its own.
fn page_of(name: &str, program: impl FnOnce(&Path) -> PathBuf) -> PathBuf {
    let folder = folder(&format!("browser-{name}"));
    let program = program(&folder);
    let page = folder.join("report.html");
    let path = page.to_string_lossy().into_owned();
    let options = ["--format", "html", "--log-path", &path, "--object", "1"];
    let ended = run(kref_track(&options).arg(program).current_dir(c_tests()));
    assert!(ended.success, "{ended:?}");
    page
}

fn leaks(name: &str) -> PathBuf {
    page_of(name, |_| compile(Compiler::any(), "browser/leaks", &["-O1"]))
}

/// The page, changed.
fn changed(page: &Path, change: impl FnOnce(String) -> String) {
    let text = std::fs::read_to_string(page).expect("a page");
    std::fs::write(page, change(text)).expect("our file");
}

/// The text of the cells of a column of the table of findings.
fn column(browser: &mut Browser, column: usize) -> serde_json::Value {
    browser.value(&format!(
        "[...document.querySelectorAll('#findings tbody tr')].map(row => row.cells[{column}].textContent)"
    ))
}

const TYPE: usize = 1;
const REFERENCES: usize = 4;

fn shows() {
    let page = leaks("shows");
    let mut browser = Browser::start();
    browser.open(&page);
    let title = browser.value("document.querySelector('h1').textContent");
    let wanted = "put on a released object; 124 references on 1 object are still held at exit";
    assert_eq!(title, wanted);
    // The source line, which is marked, and the holder's name.
    let text = browser.value("document.body.innerText");
    let text = text.as_str().expect("a text");
    for part in ["kref_get(&object->kref); /* HERE */", "the market", "The life of object #1"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let marked = browser.value("[...document.querySelectorAll('mark')].map(it => it.textContent)");
    assert!(marked.to_string().contains("/* HERE */"), "{marked}");
    // Each row leads to its finding.
    let dead = "[...document.querySelectorAll('#findings a')].filter(a => !document.querySelector(a.hash)).length";
    assert_eq!(browser.value(dead), 0);
    assert_eq!(browser.requests(), [format!("file://{}", page.display())]);
    let log = browser.events.iter().filter(|event| event["method"] == "Log.entryAdded");
    assert_eq!(log.count(), 0, "{:?}", browser.events);
}

fn sorts_by_mouse() {
    let page = leaks("mouse");
    let mut browser = Browser::start();
    browser.open(&page);
    let numbers = column(&mut browser, REFERENCES);
    let button = "#findings th:nth-child(5) button";
    browser.click(button);
    assert_eq!(column(&mut browser, REFERENCES), json!(["100", "20", "3", "1", "0"]), "{numbers}");
    browser.click(button);
    assert_eq!(column(&mut browser, REFERENCES), json!(["0", "1", "3", "20", "100"]));
    let sorted = "document.querySelector('#findings th:nth-child(5)').getAttribute('aria-sort')";
    assert_eq!(browser.value(sorted), "ascending");
}

fn sorts_by_keyboard() {
    let page = leaks("keyboard");
    let mut browser = Browser::start();
    browser.open(&page);
    // The first head is the first thing that the key reaches.
    for _ in 0..=TYPE + 1 {
        browser.press("Tab", 9, "");
    }
    let focused = browser.value("document.activeElement.textContent");
    assert_eq!(focused, "Place");
    browser.press("Enter", 13, "\r");
    let places = column(&mut browser, TYPE + 1).to_string();
    let at = |name: &str| places.find(name).unwrap_or_else(|| panic!("no {name} in {places}"));
    assert!(at("\"apple ") < at("\"pear ") && at("\"pear ") < at("\"quince "), "{places}");
}

/// All is there without scripts: a finding, a source line, the drawings.
fn without_scripts() {
    let page = leaks("without");
    let mut browser = Browser::start();
    browser.call("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    browser.open(&page);
    assert_eq!(browser.value("document.querySelectorAll('button').length"), 0);
    let shown = "[...document.querySelectorAll('h1, #findings, mark, svg.flame, svg.count')]\
                 .every(it => it.getBoundingClientRect().height > 8)";
    assert_eq!(browser.value(shown), true);
    assert_eq!(browser.value("document.querySelectorAll('svg.flame, svg.count').length"), 2);
}

/// The policy names the one script by its hash: with another byte in it the script does not run.
fn another_script() {
    let page = leaks("another");
    changed(&page, |text| {
        text.replace("document.querySelectorAll('table", " document.querySelectorAll('table")
    });
    let mut browser = Browser::start();
    browser.open(&page);
    assert_eq!(browser.value("document.querySelectorAll('button').length"), 0);
}

fn zooms() {
    let page = leaks("zooms");
    let mut browser = Browser::start();
    browser.open(&page);
    let width = "document.querySelector('svg.all').getAttribute('width')";
    assert_eq!(browser.value(width), "100%");
    browser.value(
        "[...document.querySelectorAll('.flame .frame')].at(-1).querySelector('rect').id = 'narrow'",
    );
    browser.click("#narrow");
    let wide = browser.value(width);
    let wide: f64 =
        wide.as_str().expect("a width").trim_end_matches('%').parse().expect("a number");
    assert!(wide > 100.0, "{wide}");
}

/// What scripts and elements a page has that are not its own.
fn strangers(browser: &mut Browser) -> serde_json::Value {
    browser.value(
        "[document.scripts.length, document.querySelectorAll('b').length, document.querySelectorAll('title').length \
          - document.querySelectorAll('svg title').length]",
    )
}

fn hostile_names() {
    let page = page_of("hostile", hostile::program);
    let mut browser = Browser::start();
    browser.open(&page);
    assert_eq!(strangers(&mut browser), json!([1, 0, 1]));
    assert_eq!(browser.dialogs(), 0);
    assert_eq!(browser.requests(), [format!("file://{}", page.display())]);
    // The names are there as they are.
    let text = browser.value("document.body.innerText").to_string();
    for name in
        ["</title><script>alert(1)</script>", "<b onload='x'>&amp;]]>", "</text><script>alert(3)"]
    {
        assert!(text.contains(name), "no {name} in {text}");
    }
    // Its own script runs: it has made buttons.
    assert_ne!(browser.value("document.querySelectorAll('th button').length"), 0);
}

/// The wrong twin: if the names were markup they would be seen, and without the policy they would run.
fn hostile_names_as_markup() {
    let page = page_of("markup", hostile::program);
    changed(&page, |text| {
        text.replace("&lt;script&gt;", "<script>").replace("&lt;/script&gt;", "</script>")
    });
    let mut browser = Browser::start();
    browser.open(&page);
    assert_ne!(strangers(&mut browser), json!([1, 0, 1]));
    assert_eq!(browser.dialogs(), 0);
    changed(&page, |text| text.replace("Content-Security-Policy", "none"));
    browser.open(&page);
    assert_ne!(browser.dialogs(), 0);
}
