//! The forms of reports, format=. Each report is text, or a JSON value. A document is made of the values of all
//! reports that go to one file.

use serde_json::Value;

use crate::documents::{self, Report};
use crate::markup::Drawing;
use crate::world::World;

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: a JSON value in a line for each report.
    Json,
    /// A document for a browser.
    Html,
    /// A document for CI systems: SARIF 2.1.0.
    Sarif,
}

impl Format {
    /// What format= may say.
    pub const NAMES: &str = "text, json, html or sarif";

    /// The form of this name.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            "html" => Some(Self::Html),
            "sarif" => Some(Self::Sarif),
            _ => None,
        }
    }

    /// Where a document goes if log_path= does not say it: between the lines that a program writes to standard error
    /// it would be no document.
    pub fn usual_file(self) -> Option<&'static str> {
        match self {
            Self::Text | Self::Json => None,
            Self::Html => Some("kref-track.%p.html"),
            Self::Sarif => Some("kref-track.%p.sarif"),
        }
    }
}

/// A report of a process goes where its reports go.
pub fn tell(
    world: &World,
    process: u32,
    value: impl FnOnce() -> Value,
    text: impl FnOnce() -> String,
) {
    tell_held(world, process, value, || None, text);
}

/// The same, with a picture for documents.
pub fn tell_held(
    world: &World,
    process: u32,
    value: impl FnOnce() -> Value,
    picture: impl FnOnce() -> Option<Drawing>,
    text: impl FnOnce() -> String,
) {
    match world.options.format {
        Format::Text => world.output.write(process, &text()),
        Format::Json => world.output.write(process, &line(&with_seed(world, value()))),
        Format::Html | Format::Sarif => {
            let report = Report { value: with_seed(world, value()), picture: picture() };
            world.documents.add(world, process, report);
        }
    }
}

/// A report for somebody who asks for it.
pub fn alone(
    world: &World,
    value: impl FnOnce() -> Value,
    picture: impl FnOnce() -> Option<Drawing>,
    text: impl FnOnce() -> String,
) -> String {
    match world.options.format {
        Format::Text => text(),
        Format::Json => line(&with_seed(world, value())),
        Format::Html | Format::Sarif => {
            let value = with_seed(world, value());
            documents::of_one(world, Report { value, picture: picture() })
        }
    }
}

/// A report says which delays of --chaos it was found with, so that they can be repeated. An event of object=N is a part
/// of a report.
fn with_seed(world: &World, mut report: Value) -> Value {
    if report["kind"] != "event" {
        report["seed"] = world.options.chaos.into();
    }
    report
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}
