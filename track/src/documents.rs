//! Reports that become documents: those of a file are kept, and the file is written anew at the end of each process
//! that has more to say, and when a signal asks.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use crate::format::Format;
use crate::markup::Drawing;
use crate::world::World;
use crate::{html, sarif, text};

/// A report.
pub struct Report {
    /// As format=json has it.
    pub value: Value,
    /// What is held, as a flame graph.
    pub picture: Option<Drawing>,
}

/// The most reports of a document. Further ones are only counted, and the document says how many.
const MOST: usize = 1000;
/// Of the events of object=N this many of the first and this many of the last are kept. Those between are only counted.
const MOST_EVENTS: usize = 1000;

/// What goes into one file.
#[derive(Default)]
pub struct Document {
    /// The reports, in the order in which they came.
    pub reports: Vec<Report>,
    /// Reports for which there was no room.
    pub left_out: u64,
    /// The first events of the object that was asked for.
    pub events: Vec<Value>,
    /// The events that are between these and the last.
    pub skipped: u64,
    /// The last events.
    pub last_events: VecDeque<Value>,
    /// The process that wrote last.
    process: u32,
    is_written: bool,
}

impl Document {
    fn add(&mut self, report: Report) {
        self.is_written = false;
        if report.value["kind"] == "event" {
            self.add_event(report.value);
        } else if self.reports.len() < MOST {
            self.reports.push(report);
        } else {
            self.left_out += 1;
        }
    }

    fn add_event(&mut self, event: Value) {
        if self.events.len() < MOST_EVENTS {
            return self.events.push(event);
        }
        if self.last_events.len() == MOST_EVENTS {
            self.last_events.pop_front();
            self.skipped += 1;
        }
        self.last_events.push_back(event);
    }

    /// The seed of --chaos, if something was found with it.
    pub fn seed(&self) -> Option<u64> {
        self.reports.iter().find_map(|report| report.value["seed"].as_u64())
    }

    fn text(&self, world: &World) -> String {
        match world.options.format {
            Format::Sarif => sarif::document(self, &std::env::current_dir().unwrap_or_default()),
            _ => html::document(self, &world.code),
        }
    }
}

/// A document of one report.
pub fn of_one(world: &World, report: Report) -> String {
    let mut document = Document::default();
    document.add(report);
    document.text(world)
}

/// The documents, by the name of the file.
#[derive(Default)]
pub struct Documents(RefCell<BTreeMap<String, Document>>);

impl Documents {
    /// Keeps a report of a process.
    pub fn add(&self, world: &World, process: u32, report: Report) {
        let file = world.output.file(process);
        self.0.borrow_mut().entry(file).or_default().add(report);
    }

    /// Writes the document of a process, if there is something new in it. A file for all processes is there also if
    /// nothing was found, so that no older one is taken for it.
    pub fn write(&self, world: &World, process: u32) {
        if world.options.format.usual_file().is_none() {
            return;
        }
        let file = world.output.file(process);
        let mut documents = self.0.borrow_mut();
        if world.output.is_of_one() && !documents.contains_key(&file) {
            return;
        }
        let document = documents.entry(file.clone()).or_default();
        document.process = process;
        // Without a file there is one stream, which cannot be written anew.
        if !document.is_written && !file.is_empty() {
            document.is_written = true;
            world.output.replace(process, &document.text(world));
            if world.options.log_path.as_deref() == world.options.format.usual_file() {
                let reports = text::number(document.reports.len() as u64, "report");
                eprintln!("kref-track: {file} has {reports}");
            }
        }
    }

    /// Writes those that have no file of their own: at the end of a trace.
    pub fn write_all(&self, world: &World) {
        for document in self.0.borrow_mut().values_mut().filter(|it| !it.is_written) {
            document.is_written = true;
            world.output.replace(document.process, &document.text(world));
        }
    }
}
