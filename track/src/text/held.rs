//! The report of references that are held.

use std::fmt::Write as _;

use super::verdict::{UNCERTAIN, UNKNOWN, verdict};
use super::{MOST, duration, number, place, stack, thread};
use crate::clock::{self, Time};
use crate::leaks::{Leaks, Reference, Type, Unexited};
use crate::percpu::INITIAL;
use crate::reach::owned::Owned;
use crate::tree;
use crate::world::World;

/// What is said of an object that may be right.
pub const SINGLETON: &str = "Note: it is the only object of its type, and its creator alone has a reference. It may be \
                             meant to live as long as the program";

/// What is held.
pub fn leaks(world: &World, leaks: &Leaks, title: &str) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "kref-track: {} on {} {} {title}",
        number(leaks.references, "reference"),
        number(leaks.objects, "object"),
        if leaks.references == 1 { "is" } else { "are" },
    );
    // Each may be the cause of the others, so none is left out.
    for of in &leaks.types {
        one_type(world, &mut out, of, leaks.now);
    }
    owned(&mut out, &leaks.owned);
    if let Some(search) = leaks.search.filter(|search| search.is_cut) {
        let _ = writeln!(
            out,
            "\nOnly {} MB of the program's memory were searched for pointers to these objects, so none is called lost.",
            search.bytes >> 20
        );
    }
    out
}

/// What the objects above own.
fn owned(out: &mut String, all: &[Owned]) {
    let sum =
        |(objects, references), of: &Owned| (objects + of.objects, references + of.references);
    let (objects, references) = all.iter().fold((0, 0), sum);
    if objects == 0 {
        return;
    }
    let (verb, references) =
        (if objects == 1 { "is" } else { "are" }, number(references, "reference"));
    let objects = number(objects, "more object");
    let _ = writeln!(out, "\n{objects} {verb} owned by these ({references}):");
    for of in all.iter().take(MOST) {
        let _ = writeln!(out, "  {}: {}", of.name, number(of.objects, "object"));
    }
    if all.len() > MOST {
        let _ = writeln!(out, "  ... and {} more types", all.len() - MOST);
    }
}

/// What leads to the objects of a type.
fn classes(out: &mut String, of: &Type) {
    for (class, &count) in &of.classes {
        let (one, several) = class.words();
        let words = if count == 1 { one } else { several };
        let _ = writeln!(out, "  {} {words}", number(count, "object"));
    }
}

fn one_type(world: &World, out: &mut String, of: &Type, now: Time) {
    let (references, objects) = (number(of.references, "reference"), number(of.objects, "object"));
    let _ = writeln!(out, "\n{}: {references} on {objects}", of.name);
    classes(out, of);
    if of.is_singleton() {
        let _ = writeln!(out, "  {SINGLETON}");
    }
    for held in of.held.iter().take(MOST) {
        reference(world, out, held, now);
    }
    if of.held.len() > MOST {
        let _ = writeln!(out, "  ... and {} more stacks", of.held.len() - MOST);
    }
    if of.unrecorded > 0 {
        let gets = number(of.unrecorded, "get");
        let _ = writeln!(out, "  {gets} more: the memory that max_memory= allows was full");
    }
    if !of.is_certain() {
        let _ = writeln!(out, "  {UNCERTAIN}. All gets and puts of these objects:");
        balance(world, out, of);
    }
    tree::write(world, out, of);
}

fn reference(world: &World, out: &mut String, held: &Reference, now: Time) {
    let what = match (held.holder, held.is_first) {
        (Some(INITIAL), _) => ", the initial one, which percpu_ref_kill() gives back".to_string(),
        (Some(name), _) => format!(" of \"{name}\""),
        (None, true) => " of the creator's".to_string(),
        (None, false) => String::new(),
    };
    let (serial, address) = held.example;
    let objects = match held.objects {
        1 => format!("object #{serial} at {address:#x}"),
        n => format!("{n} objects, as #{serial} at {address:#x}"),
    };
    let count = number(held.count, "reference");
    let ages = ages(held, now);
    let _ = writeln!(out, "  {count}{what}, on {objects}, taken {ages}{}:", threads(world, held));
    stack(world, out, held.stack, "    ");
    if let Some(blame) = &held.blame {
        verdict(world, out, blame);
    }
}

fn ages(held: &Reference, now: Time) -> String {
    let age = |time: Time| duration(clock::age(now, time));
    match (age(held.times.0), age(held.times.1)) {
        (oldest, newest) if oldest == newest => format!("{oldest} ago"),
        (oldest, newest) => format!("{newest} to {oldest} ago"),
    }
}

/// By whom, if that is known.
fn threads(world: &World, held: &Reference) -> String {
    let mut all = held.threads.keys();
    match (all.next(), all.next()) {
        (None, _) => String::new(),
        (Some(&only), None) => format!(" by {}", thread(world, only)),
        _ => format!(" by {} threads", held.threads.len()),
    }
}

/// Gets, puts and the net of both, by call site.
fn balance(world: &World, out: &mut String, of: &Type) {
    let _ = writeln!(out, "        gets       puts        net");
    for (place, (gets, puts)) in sites(world, of).into_iter().take(MOST) {
        let net = gets as i64 - puts as i64;
        let _ = writeln!(out, "  {gets:>10} {puts:>10} {net:>+10}  {place}");
    }
}

/// The balance by innermost place, the gets first.
fn sites(world: &World, of: &Type) -> Vec<(String, (u64, u64))> {
    let mut sites: Vec<(String, (u64, u64))> = Vec::new();
    for (&stack, &(gets, puts)) in &of.sites {
        let frame = world.code.described(stack).first();
        let name = frame.map_or(UNKNOWN.to_string(), place);
        match sites.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum = (sum.0 + gets, sum.1 + puts),
            None => sites.push((name, (gets, puts))),
        }
    }
    sites.sort_by_key(|&(_, (gets, puts))| puts as i64 - gets as i64);
    sites
}

/// percpu_refs that were not ended.
pub fn unexited(world: &World, all: &[Unexited]) -> String {
    let mut out = String::new();
    for of in all.iter().take(MOST) {
        let (serial, address) = of.example;
        let (count, verb) = match of.count {
            1 => ("1 percpu_ref".to_string(), "was"),
            n => (format!("{n} percpu_refs"), "were"),
        };
        let _ = writeln!(
            out,
            "kref-track: {count} {verb} released without percpu_ref_exit(), as #{serial} at {address:#x}, \
             initialised by:"
        );
        stack(world, &mut out, of.stack, "    ");
    }
    out
}
