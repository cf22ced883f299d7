//! Stacks of one type that mean the same: a function that only wraps kref_get(), `conn_ref()` for example, tells
//! nothing. Its callers do.
//!
//! A function is a wrapper of a type if only gets, or only puts, of this type go through it, and if it is called from
//! several places or is a header's. The class of a stack is its wrappers and the first function that is none, with their lines.
//! A line that puts both for release functions and for other callers has two classes: one for each.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::{Code, Id};
use crate::symbols::Frame;

/// So many functions, one around the other, may be wrappers.
const MOST_WRAPPERS: usize = 4;

/// A line of a function: the function, the line, and where there is none, the address.
type Site = (u64, u32, u64);

/// A class of gets, or of puts.
pub struct Class {
    /// The line that the report names, as the index of a frame of `stack`.
    pub frame: usize,
    /// A stack of the class.
    pub stack: Id,
    /// The functions of the wrappers and of that line.
    pub functions: Vec<&'static str>,
    /// The innermost line: classes that have it in common differ in their callers alone.
    pub inner: Site,
    /// Whether these are kref_thread_create()'s gets, for its thread.
    pub for_thread: bool,
    /// Whether these are gets of kref_init().
    pub is_first: bool,
    /// The release function in which the puts are.
    pub release: Option<u64>,
}

/// The classes of a type: of its gets, or of its puts.
#[derive(Default)]
pub struct Classes {
    /// All classes.
    pub all: Vec<Class>,
    of: BTreeMap<(Id, bool), usize>,
}

impl Classes {
    /// The class of a stack that is there.
    pub fn of(&self, stack: Id, is_first: bool) -> usize {
        self.of[&(stack, is_first)]
    }
}

/// What was done at a stack.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// kref_init().
    Create,
    /// A get.
    Get,
    /// A put.
    Put,
}

/// The classes of gets and of puts, by what was done at which stack.
pub fn sort(stacks: &BTreeSet<(Id, What)>, code: &Code) -> (Classes, Classes) {
    let wrappers = wrappers(stacks, code);
    let mut named: Vec<_> = stacks
        .iter()
        .map(|&(stack, what)| {
            let frames = code.described(stack);
            let count = wrappers[&stack].min(frames.len().saturating_sub(1));
            let sites: Vec<Site> = frames.iter().take(count + 1).map(site).collect();
            let text: Vec<_> =
                frames.iter().take(count + 1).map(|it| (it.file, it.line, it.function)).collect();
            (text, sites, count, stack, what)
        })
        .collect();
    // In the order of files and lines, so that two runs of one program say the same.
    named.sort();
    let (mut gets, mut puts) = (Classes::default(), Classes::default());
    let mut known = BTreeMap::new();
    for (_, sites, frame, stack, what) in named {
        let classes = if what == What::Put { &mut puts } else { &mut gets };
        let known_stack = code.get(stack);
        let for_thread = known_stack.is_some_and(|stack| stack.leading(code).for_thread);
        let release = known_stack.filter(|_| what == What::Put).and_then(|stack| {
            let described = stack.described(code);
            described.release.map(|at| described.frames[usize::from(at)].identity)
        });
        let inner = sites.first().copied().unwrap_or_default();
        let new = *known.entry((sites, for_thread, release, what)).or_insert_with(|| {
            classes.all.push(Class {
                frame,
                stack,
                functions: code
                    .described(stack)
                    .iter()
                    .take(frame + 1)
                    .map(|it| it.function)
                    .collect(),
                inner,
                for_thread,
                is_first: what == What::Create,
                release,
            });
            classes.all.len() - 1
        });
        classes.of.insert((stack, what == What::Create), new);
    }
    (gets, puts)
}

/// Whether the source of a function is a header: `static inline` functions, and templates.
fn is_of_header(frame: &Frame) -> bool {
    frame.file.rsplit_once('.').is_some_and(|(_, ending)| ending.starts_with('h'))
}

fn site(frame: &Frame) -> Site {
    (frame.identity, frame.line, if frame.line == 0 { frame.into } else { 0 })
}

/// The number of wrappers of each stack.
fn wrappers(stacks: &BTreeSet<(Id, What)>, code: &Code) -> BTreeMap<Id, usize> {
    let mut count: BTreeMap<Id, usize> = stacks.iter().map(|&(stack, _)| (stack, 0)).collect();
    for round in 0..MOST_WRAPPERS {
        let mut kinds: BTreeMap<u64, BTreeSet<bool>> = BTreeMap::new();
        let mut callers: BTreeMap<u64, BTreeSet<Site>> = BTreeMap::new();
        for &(stack, what) in stacks {
            let (frames, inner) = (code.described(stack), count[&stack]);
            for frame in frames.iter().skip(inner) {
                kinds.entry(frame.identity).or_default().insert(what == What::Put);
            }
            if inner == round && inner + 1 < frames.len() {
                let caller = site(&frames[inner + 1]);
                let caller = if round == 0 { caller } else { (caller.0, 0, 0) };
                callers.entry(frames[inner].identity).or_default().insert(caller);
            }
        }
        let least = if round == 0 { 2 } else { 3 };
        let is_wrapper = |frame: &Frame| {
            let least = if is_of_header(frame) { 1 } else { least };
            callers.get(&frame.identity).is_some_and(|all| all.len() >= least)
                && kinds[&frame.identity].len() == 1
        };
        let mut has_moved = false;
        for (&stack, inner) in &mut count {
            let frames = code.described(stack);
            if *inner == round && round + 1 < frames.len() && is_wrapper(&frames[round]) {
                *inner += 1;
                has_moved = true;
            }
        }
        if !has_moved {
            break;
        }
    }
    count
}
