//! format=html: a page for a browser, in one file that loads nothing.
//!
//! What is wrong comes first, then a table of all findings, then each of them with its stacks and source lines, the
//! flame graph, and the life of the object that object=N names. All of it is there without a script; the script sorts
//! tables and zooms. The page's policy allows no script but this one, whatever the names of a program say.

use crate::code::Code;
use crate::documents::{Document, Report};
use crate::finding::{Finding, Level, Section, amount, are_held, place, sections, text};
use crate::markup::Markup;
use crate::sources::Sources;
use crate::text::number;

mod life;
mod stacks;

const SCRIPT: &str = concat!("\n", include_str!("sort.js"), include_str!("zoom.js"));
const STYLE: &str = include_str!("style.css");
/// SHA-256 of the script, in base64: a browser runs no script that has another one.
const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
    <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
    script-src 'sha256-oN7PePxUIbUoWjAOlCyYKnN2T71UvO5TLY/gOv2XrPI='; base-uri 'none'; \
    form-action 'none'\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>";

/// The page of these reports.
pub fn document(document: &Document, code: &Code) -> String {
    let sources = Sources::new(code);
    let sections: Vec<(&Report, Vec<Section>)> =
        document.reports.iter().map(|report| (report, sections(&report.value))).collect();
    let mut page = Markup::default();
    let title = title(&sections);
    page.raw(HEAD).text(&title).raw(" - kref-track</title>\n<style>\n").raw(STYLE);
    page.raw("</style>\n</head>\n<body>\n<main>\n<h1>").text(&title).raw("</h1>\n");
    if let Some(seed) = document.seed() {
        page.raw("<p>Found with --chaos; these options repeat the delays: --seed ").number(seed);
        page.raw("</p>\n");
    }
    let all = sections.iter().flat_map(|(_, sections)| sections);
    let findings: Vec<&Finding> = all.flat_map(|section| &section.findings).collect();
    table(&mut page, &findings);
    let mut next = 1;
    for (report, sections) in &sections {
        for of in sections {
            section(&mut page, &sources, of, next);
            next += of.findings.len();
        }
        beside(&mut page, report);
    }
    life::write(&mut page, &sources, document);
    page.raw("</main>\n<footer><p>");
    if document.left_out > 0 {
        page.text(&number(document.left_out, "more report"))
            .raw(" were left out: there are too many. ");
    }
    page.raw(concat!("kref-track ", env!("CARGO_PKG_VERSION"), "</p></footer>\n<script>"));
    page.raw(SCRIPT).raw("</script>\n</body>\n</html>\n");
    page.finish()
}

/// What is wrong, in a line: a misuse comes before what may be its consequence.
fn title(reports: &[(&Report, Vec<Section>)]) -> String {
    let all = || reports.iter().flat_map(|(_, sections)| sections);
    let findings = all().flat_map(|section| &section.findings);
    let wrong: Vec<_> =
        findings.filter(|it| it.rule != "leak" && it.level != Level::Note).collect();
    let held = reports.iter().rfind(|(report, _)| report.value["references"].as_u64() > Some(0));
    let held = held.map(|(report, _)| {
        let count = |name: &str| report.value[name].as_u64().unwrap_or(0);
        let counts = (count("references"), count("objects"));
        format!("{} {}", amount(counts), are_held(&report.value, counts.0))
    });
    let parts = match wrong.as_slice() {
        [] => Vec::new(),
        [only] => vec![only.what.clone()],
        [first, others @ ..] => vec![format!("{} (and {} more)", first.what, others.len())],
    };
    let parts: Vec<_> = parts.into_iter().chain(held).collect();
    if parts.is_empty() { "Nothing was found".into() } else { parts.join("; ") }
}

/// All findings, each with a link to its section.
fn table(page: &mut Markup, findings: &[&Finding]) {
    if findings.is_empty() {
        return;
    }
    page.raw(
        "<table class=\"sortable\" id=\"findings\">\n<caption>All findings</caption>\n<thead><tr>\
         <th scope=\"col\">Finding</th><th scope=\"col\">Type</th><th scope=\"col\">Place</th>\
         <th scope=\"col\">Holder</th><th scope=\"col\" class=\"number\">References</th>\
         <th scope=\"col\" class=\"number\">Objects</th><th scope=\"col\" class=\"number\">Process</th>\
         </tr></thead>\n<tbody>\n",
    );
    for (finding, id) in findings.iter().zip(1u64..) {
        page.raw("<tr><td><a class=\"").raw(finding.level.name()).raw("\" href=\"#finding-");
        page.number(id).raw("\">").text(finding.rule).raw("</a></td><td>").text(finding.of);
        page.raw("</td><td class=\"frame\">");
        if let Some(frame) = finding.stacks.first().and_then(|stack| stack.place()) {
            page.text(&place(frame));
        }
        page.raw("</td><td>").text(finding.holder);
        let (references, objects) = finding.counts;
        for number in [references, objects, finding.process] {
            page.raw("</td><td class=\"number\">").number(number);
        }
        page.raw("</td></tr>\n");
    }
    page.raw("</tbody>\n</table>\n");
}

/// The head of a finding, to which the table leads.
fn head(page: &mut Markup, id: usize, of: &Finding, begin: &'static str, end: &'static str) {
    page.raw(begin).raw(" id=\"finding-").number(id as u64).raw("\" class=\"");
    page.raw(of.level.name()).raw("\">").text(&of.what).raw(end);
}

/// Findings that belong together. The first one has the number `next` in the table.
fn section(page: &mut Markup, sources: &Sources, of: &Section, next: usize) {
    page.raw("<section>\n");
    // One finding may be all that the section has.
    let only = of.findings.first().filter(|first| first.what == of.title);
    match only {
        Some(only) => head(page, next, only, "<h2", "</h2>\n"),
        None => _ = page.raw("<h2>").text(&of.title).raw("</h2>\n"),
    }
    if !of.notes.is_empty() {
        page.raw("<ul>\n");
        of.notes.iter().for_each(|note| _ = page.raw("<li>").text(note).raw("</li>\n"));
        page.raw("</ul>\n");
    }
    for (finding, id) in of.findings.iter().zip(next..) {
        if only.is_none() {
            head(page, id, finding, "<h3", "</h3>\n");
        }
        for reason in &finding.reasons {
            page.raw("<p class=\"reason\">").text(reason).raw("</p>\n");
        }
        for (at, stack) in finding.stacks.iter().enumerate() {
            stacks::write(page, sources, stack, at == 0);
        }
    }
    balance(page, of);
    page.raw("</section>\n");
}

/// Gets and puts by stack, which are known for sure also where it is not known which put belongs to which get.
fn balance(page: &mut Markup, of: &Section) {
    if of.balance.is_empty() {
        return;
    }
    page.raw(
        "<table class=\"sortable\">\n<caption>Gets and puts by place</caption>\n<thead><tr>\
         <th scope=\"col\">Place</th><th scope=\"col\">Called by</th>\
         <th scope=\"col\" class=\"number\">Gets</th><th scope=\"col\" class=\"number\">Puts</th>\
         <th scope=\"col\" class=\"number\">Net</th></tr></thead>\n<tbody>\n",
    );
    let mut sites: Vec<_> = of.balance.iter().collect();
    let count = |site: &serde_json::Value, name| site[name].as_i64().unwrap_or(0);
    let net = |site: &&serde_json::Value| count(site, "gets") - count(site, "puts");
    sites.sort_by_key(|site| -net(site));
    for site in sites {
        let frame = |at: usize| site["stack"].get(at).map_or(String::new(), place);
        page.raw("<tr><td class=\"frame\">").text(&frame(0));
        page.raw("</td><td class=\"frame\">").text(&frame(1));
        for number in [count(site, "gets"), count(site, "puts"), net(&site)] {
            page.raw("</td><td class=\"number\">").number(number);
        }
        page.raw("</td></tr>\n");
    }
    page.raw("</tbody>\n</table>\n");
}

/// What is known of all that a report shows: what the objects own, what was dropped, the flame graph.
fn beside(page: &mut Markup, report: &Report) {
    let value = &report.value;
    let count = |value: &serde_json::Value| value.as_u64().unwrap_or(0);
    let owned = value["owned"].as_array().map_or(&[][..], Vec::as_slice);
    let mut notes: Vec<String> = owned
        .iter()
        .map(|of| {
            let objects = number(count(&of["objects"]), "more object");
            format!("{objects} of {}: owned by objects above.", text(&of["type"]))
        })
        .collect();
    let dropped = &value["dropped"];
    for what in ["object", "stack", "event"] {
        let missing = count(&dropped[format!("{what}s")]);
        if missing > 0 {
            notes.push(format!("{} not recorded.", number(missing, what)));
        }
    }
    for (name, why) in [
        ("lost", "had too many references to be tracked any further"),
        ("shared", "not judged: in memory that other processes may share"),
    ] {
        if count(&value[name]) > 0 {
            notes.push(format!("{} {why}.", number(count(&value[name]), "object")));
        }
    }
    if value["search"]["complete"] == false {
        let megabytes = count(&value["search"]["bytes"]) >> 20;
        notes.push(format!(
            "Only {megabytes} MB of the program's memory were searched for pointers to these objects, so none is \
             called lost."
        ));
    }
    if !notes.is_empty() {
        page.raw("<section>\n<h2>Beside this</h2>\n<ul>\n");
        notes.iter().for_each(|note| _ = page.raw("<li>").text(note).raw("</li>\n"));
        page.raw("</ul>\n</section>\n");
    }
    if let Some(picture) = &report.picture {
        page.raw("<section>\n<h2>What is held, as a flame graph</h2>\n").drawing(picture);
        page.raw("</section>\n");
    }
}
