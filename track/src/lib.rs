//! kref-track: names who forgot a reference.
//!
//! The recorder, libkref_track.so, is in the program: it writes what happens into memory that both share
//! ([`session`]). The judge is here, in a process of its own ([`start`], [`serve`]). It puts the events of all threads
//! into one order ([`merge`]), and works on them ([`judge`], [`event`]) in the table of each process ([`process`],
//! [`table`], [`object`]); which get a put undoes is [`matching`]'s at once, and [`evidence`]'s in a report. What is wrong at once is [`misuse`]; what is left
//! at the end is gathered by [`leaks`], beside what leads to it ([`reach`]), and written by [`text`], [`json`], [`tree`] and [`flame`]. Addresses get names
//! from the files of the program ([`modules`], [`code`], [`stacks`], [`symbols`]) and from their debug information ([`debug`]).

mod ask;
mod balance;
mod budget;
mod chronicle;
mod clock;
mod code;
mod command;
mod crash;
mod documents;
mod elf;
mod endings;
mod debug;
mod ends;
mod event;
mod evidence;
mod files;
mod filter;
mod finding;
mod flame;
mod format;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod held;
mod html;
mod index;
mod json;
mod judge;
mod leaks;
mod live;
mod locked;
mod maps;
mod markup;
mod matching;
mod memory;
mod merge;
mod mishap;
mod misuse;
mod modules;
mod names;
mod namespace;
mod object;
mod options;
mod origins;
mod output;
mod pages;
mod percpu;
mod preload;
mod process;
mod rates;
mod reach;
mod report;
mod run;
mod sarif;
mod serve;
mod session;
mod shared;
mod slab;
mod sources;
mod stacks;
mod stale;
mod start;
mod stat;
mod stuck;
mod symbols;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod trace;
mod tree;
mod turns;
mod waits;
mod world;

use std::process::ExitCode;

/// The command: does what its arguments say.
pub fn main() -> ExitCode {
    mishap::survive_short_files();
    match command::read().and_then(command::Command::run) {
        Ok(code) => code,
        Err(mistake) => {
            eprintln!("kref-track: {mistake} (kref-track --help has all options)");
            ExitCode::from(2)
        }
    }
}
