//! Reports for people.

use std::fmt::Write as _;

use crate::balance::Left;
use crate::clock::{self, Time};
use crate::code::Id;
use crate::evidence::{Blame, Certainty, Line};
use crate::leaks::{Leaks, Reference, Type, Unexited};
use crate::misuse::{Kind, Offence};
use crate::object::{Act, Held, Pair};
use crate::percpu::INITIAL;
use crate::process::Process;
use crate::reach::owned::Owned;
use crate::stale::Lookups;
use crate::symbols::Frame;
use crate::world::World;
use crate::{leaks, tree};

/// Lines of a report that repeat little are cut after so many.
const MOST: usize = 32;

/// What is said of an object that may be right.
pub const SINGLETON: &str = "Note: it is the only object of its type, and its creator alone has a reference. It may be meant to live \
                             as long as the program";

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
        let _ = writeln!(
            out,
            "  It is not certain which put gave back which reference. All gets and puts of these objects:"
        );
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
    let _ =
        writeln!(out, "  {count}{what}, on {objects}, taken {ages} by {}:", threads(world, held));
    stack(world, out, held.stack, "    ");
    if let Some(blame) = &held.blame {
        verdict(world, out, blame);
    }
}

/// Where such references are given back, and what else may be to blame.
fn verdict(world: &World, out: &mut String, blame: &Blame) {
    if let Some(usual) = usual(world, &blame.usual) {
        let _ = writeln!(out, "    {usual}");
    }
    let Some((rival, is_first, puts)) = &blame.rival else { return };
    let whose = if *is_first { "the creator's reference, of " } else { "the reference of " };
    let rival = format!("{whose}{}", named(world, rival));
    let usual = usual(world, puts).map_or(String::new(), |usual| format!(" ({usual})"));
    let _ = match blame.certainty {
        Certainty::Open => writeln!(out, "    One of these two: this reference, or {rival}{usual}"),
        _ => writeln!(out, "    This is likely, not certain. Less likely: {rival}{usual}"),
    };
}

fn usual(world: &World, puts: &[(Line, u64)]) -> Option<String> {
    let times = |count: u64| if count == 1 { "once".to_string() } else { format!("{count} times") };
    let (first, count) = puts.first()?;
    Some(format!("usually given back at {} ({})", named(world, first), times(*count)))
}

fn named(world: &World, line: &Line) -> String {
    world.code.described(line.stack).get(line.frame).map_or("an unknown place".to_string(), place)
}

fn ages(held: &Reference, now: Time) -> String {
    let age = |time: Time| duration(clock::age(now, time));
    match (age(held.times.0), age(held.times.1)) {
        (oldest, newest) if oldest == newest => format!("{oldest} ago"),
        (oldest, newest) => format!("{newest} to {oldest} ago"),
    }
}

/// Milliseconds for people.
pub fn duration(milliseconds: u32) -> String {
    match milliseconds {
        ms @ ..1000 => format!("{ms} ms"),
        ms @ ..60_000 => format!("{:.1} s", ms as f64 / 1000.0),
        ms @ ..3_600_000 => format!("{} min", ms / 60_000),
        ms => format!("{:.1} h", ms as f64 / 3_600_000.0),
    }
}

fn threads(world: &World, held: &Reference) -> String {
    let mut all = held.threads.keys();
    match (all.next(), all.next()) {
        (Some(&only), None) => thread(world, only),
        _ => format!("{} threads", held.threads.len()),
    }
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

/// Lookups in pools that found no object.
pub fn stale_handles(world: &World, process: &Process) -> String {
    let (all, stacks) = process.stale.gather();
    let (count, never) = (number(all.all, "lookup"), never_given(all));
    let mut out = format!("kref-track: {count} by handle found no object{never}\n");
    for &(id, of) in stacks.iter().take(MOST) {
        let _ = writeln!(out, "  {}{}:", number(of.all, "lookup"), never_given(of));
        stack(world, &mut out, id, "    ");
    }
    if stacks.len() > MOST {
        let _ = writeln!(out, "  ... and {} more stacks", stacks.len() - MOST);
    }
    out
}

/// The references that a region has left behind.
pub fn left_behind(world: &World, begun: Act, all: &[Left]) -> String {
    let count = all.iter().map(|left| left.count).sum();
    let were = if count == 1 { "was" } else { "were" };
    let mut out = format!("kref-track: {} {were} left behind\n", number(count, "reference"));
    for left in all {
        let objects = match left.objects {
            1 => format!("on object #{} at {:#x}", left.example.0, left.example.1),
            count => format!("on {count} objects, as #{} at {:#x}", left.example.0, left.example.1),
        };
        let references = number(left.count, "reference");
        _ = writeln!(out, "  {references}, {objects}, {}, taken by:", left.of);
        stack(world, &mut out, left.stack, "    ");
    }
    act(world, &mut out, "since kref_balance_begin() by", begun);
    out
}

fn never_given(of: Lookups) -> String {
    match of.never_given {
        0 => String::new(),
        n => format!(", {n} of them by a number that is no handle of the pool"),
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
        let name = frame.map_or("an unknown place".to_string(), place);
        match sites.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum = (sum.0 + gets, sum.1 + puts),
            None => sites.push((name, (gets, puts))),
        }
    }
    sites.sort_by_key(|&(_, (gets, puts))| puts as i64 - gets as i64);
    sites
}

/// A misuse.
pub fn misuse(world: &World, offence: &Offence) -> String {
    let mut out = String::new();
    let holder = world.code.names.get(offence.holder);
    let holder = holder.map(|name| format!(": \"{name}\"")).unwrap_or_default();
    let _ = writeln!(out, "kref-track: {}{holder}", offence.kind.sentence());
    let _ = writeln!(out, "  {}", object(world, offence));
    match offence.kind {
        Kind::WriteAfterRelease => {
            let distance = offence.place.wrapping_sub(offence.address) as i64;
            let _ = writeln!(
                out,
                "  the first change is {distance} bytes from the count; it is not known who wrote, and when"
            );
        }
        _ => act(world, &mut out, "by", offence.by),
    }
    if let Some(released) = offence.released {
        act(world, &mut out, if offence.freed { "freed by" } else { "released by" }, released);
    }
    if let Some(killed) = offence.killed {
        act(world, &mut out, "killed by", killed);
    }
    if let Some(created) = offence.created {
        act(world, &mut out, "created by", created);
    }
    if matches!(
        offence.kind,
        Kind::WrongHolder
            | Kind::Overflow
            | Kind::Watermark
            | Kind::InitTwice
            | Kind::FreeAlive
            | Kind::Overwritten
            | Kind::FreedWhileHeld
            | Kind::MovedWhileHeld
            | Kind::BadPublish
            | Kind::BadFree
            | Kind::PoolInUse
            | Kind::NoExit
            | Kind::PutOfInitial
            | Kind::ExitWhileAlive
            | Kind::BadReinit
    ) {
        held(world, &mut out, &offence.held);
    }
    given_back(world, &mut out, &offence.given_back);
    out
}

/// The puts of an object, each in a line, with the get that it is taken to undo.
/// Who holds the object at an address.
pub fn holders(world: &World, process: &Process, address: u64) -> String {
    let table = &process.table;
    let Some(object) = table.find(address).map(|at| table.object(at)) else {
        return format!(
            "kref-track: no tracked object is at {address:#x} in process {}\n",
            process.pid
        );
    };
    let count = table.held(object).map(|held| u64::from(held.count)).sum();
    let name = leaks::name(world, leaks::key(world, object));
    let references = number(count, "reference");
    let mut out =
        format!("kref-track: {references} on object #{} at {address:#x}, {name}\n", object.serial);
    act(world, &mut out, "created by", object.created());
    match table.released(object) {
        Some(by) => act(world, &mut out, "released by", by),
        None => {
            let mut all: Vec<_> = table.held(object).collect();
            all.reverse();
            held(world, &mut out, &all);
        }
    }
    out
}

fn given_back(world: &World, out: &mut String, pairs: &[Pair]) {
    const TOP: usize = 8;
    if pairs.is_empty() {
        return;
    }
    let _ = writeln!(out, "  its puts until then, one of which may be the wrong one:");
    for pair in pairs.iter().take(TOP) {
        let get = match pair.get {
            0 => "the creator's reference".to_string(),
            get => format!("a get of {}", short(world, get)),
        };
        let count = number(pair.count.into(), "put");
        let _ = writeln!(out, "    {count} of {}, for {get}", short(world, pair.put));
    }
    if pairs.len() > TOP {
        let _ = writeln!(out, "    ... and {} more", pairs.len() - TOP);
    }
}

/// The two innermost functions of a stack.
fn short(world: &World, id: Id) -> String {
    match world.code.described(id) {
        [] => "an unknown place".to_string(),
        [only] => place(only),
        [inner, outer, ..] => format!("{}, called by {}", place(inner), place(outer)),
    }
}

fn object(world: &World, offence: &Offence) -> String {
    match (offence.serial, offence.type_name(&world.code)) {
        (0, _) => format!("count at {:#x}", offence.address),
        (serial, None) => format!("object #{serial} at {:#x}", offence.address),
        (serial, Some(name)) => format!("object #{serial} at {:#x}, {name}", offence.address),
    }
}

fn act(world: &World, out: &mut String, what: &str, by: Act) {
    let _ = writeln!(out, "  {what} {}, {} ago:", thread(world, by.thread), since(world, by.time));
    stack(world, out, by.stack, "    ");
}

fn since(world: &World, time: Time) -> String {
    duration(clock::age(world.now.get(), time))
}

/// Who holds references, those with the most first.
fn held(world: &World, out: &mut String, groups: &[Held]) {
    const TOP: usize = 5;
    let mut groups = groups.to_vec();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    if groups.is_empty() {
        let _ = writeln!(out, "  nobody holds a reference");
    }
    for group in groups.iter().take(TOP) {
        let holder = match (world.code.names.get(group.holder), group.is_first) {
            (Some(name), _) => format!("\"{name}\""),
            (None, true) => "the creator".to_string(),
            (None, false) => thread(world, group.by.thread),
        };
        let count = number(group.count.into(), "reference");
        let _ = writeln!(out, "  held: {count} by {holder}, taken:");
        stack(world, out, group.by.stack, "    ");
    }
}

/// A thread, by our number and the kernel's.
pub fn thread(world: &World, number: u32) -> String {
    match world.threads.kernel_number(number) {
        Some(tid) => format!("thread {number} ({tid})"),
        None => format!("thread {number}"),
    }
}

/// The frames, one in a line.
pub fn stack(world: &World, out: &mut String, id: Id, indent: &str) {
    let frames = world.code.described(id);
    if frames.is_empty() {
        let _ = writeln!(out, "{indent}(stack not recorded)");
    }
    for frame in frames {
        let tail = if frame.is_tail { " (tail call)" } else { "" };
        let _ = writeln!(out, "{indent}{}{tail}", place(frame));
    }
}

/// A frame: function and line, or what there is of these.
pub fn place(frame: &Frame) -> String {
    match (frame.function, frame.file) {
        ("", "") => format!("{}+{:#x}", frame.module, frame.offset),
        (function, "") => {
            format!("{function}+{:#x} ({}+{:#x})", frame.into, frame.module, frame.offset)
        }
        ("", file) => format!("{file}:{}", frame.line),
        (function, file) => format!("{function} {file}:{}", frame.line),
    }
}

/// "1 object", "2 objects".
pub fn number(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
