//! The walk up the stack, and the number of the stack that it finds.

use core::mem::MaybeUninit;
use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use wire::record::{Kind, MOST_FRAMES};

use crate::module::{self, Module};
use crate::processor;
use crate::rules::{self, Cfa, Rule, Saved};
use crate::seam::Caller;
use crate::session;
use crate::stack::Stack;
use crate::thread::{Guard, State};
use crate::walks::Trail;
use crate::write::{self, Body};

/// Frames of libkref's that may come first where they cannot be told from the program's.
const OURS: u32 = 3;
/// No code is below.
const LOWEST: u64 = 4096;

/// The number of the stack at a call. 0: not known.
#[inline]
pub fn stack(caller: Caller, guard: &mut Guard) -> u32 {
    let stack = Stack::of(caller.sp, guard.state());
    let known = guard.state().and_then(|state| state.walks.find(caller, &stack));
    known.unwrap_or_else(|| new_stack(caller, stack, guard))
}

#[cold]
#[inline(never)]
fn new_stack(caller: Caller, stack: Stack, guard: &mut Guard) -> u32 {
    let mut frames = Frames::new();
    let mut trail = Trail::new(caller);
    if guard.is_deep() {
        frames.push(caller.ip, 0);
        trail.lose();
    } else {
        module::note_libkref(caller.ip);
        walk(caller, stack, &mut frames, &mut trail, guard);
    }
    let number = frames.number(guard);
    // A handler keeps none, since it may have interrupted this or the search for a walk.
    if let Some(state) = guard.state().filter(|_| guard.is_outermost() && guard.is_valid()) {
        state.walks.keep(caller, &trail, &stack, number);
    }
    number
}

/// The registers of a walk.
#[derive(Clone, Copy)]
struct Registers {
    ip: u64,
    sp: u64,
    fp: u64,
    /// Where a function returns to that has saved nothing: known in code that a signal has interrupted. 0: not known.
    link: u64,
    /// Whether `ip` is the next instruction, and not a return address.
    is_exact: bool,
}

/// Walks up from `caller`: at most as many frames that are not libkref's as the settings say.
fn walk(
    caller: Caller,
    mut stack: Stack,
    frames: &mut Frames,
    trail: &mut Trail,
    guard: &mut Guard,
) {
    let depth = session::settings().map_or(1, |settings| settings.depth);
    let mut left = if module::libkref_is_shared() { depth } else { depth + OURS };
    let mut registers =
        Registers { ip: caller.ip, sp: caller.sp, fp: caller.fp, link: 0, is_exact: false };
    let mut module: Option<Module> = None;
    loop {
        let call = if registers.is_exact { registers.ip } else { registers.ip - 1 };
        if module.is_none_or(|module| !(module.start..module.end).contains(&call)) {
            module = module::at(call);
            if let Some(module) = &module {
                module.meet(guard);
            }
        }
        if !module::is_libkref(call) {
            left = left.saturating_sub(1);
        }
        let mut step = Step { stack: &mut stack, trail, state: guard.state() };
        let (cfa, next) = step.up(registers, rules::at(call));
        let is_full = !frames.push(call + 1, cfa);
        match next {
            Some(next) if left > 0 && !is_full => registers = next,
            _ => return,
        }
    }
}

/// A step of a walk.
struct Step<'a> {
    stack: &'a mut Stack,
    trail: &'a mut Trail,
    state: Option<&'a State>,
}

impl Step<'_> {
    /// The frame's address, or 0, and the registers of the caller. No registers: the walk ends.
    fn up(&mut self, now: Registers, rule: Rule) -> (u64, Option<Registers>) {
        let rule = match rule.cfa {
            Cfa::None => processor::without_tables(),
            Cfa::End => return (0, None),
            _ => rule,
        };
        let step = self.cfa(now, rule.cfa);
        let is_below = |cfa| cfa > now.sp || (cfa == now.sp && now.link != 0);
        let Some(cfa) = step.filter(|&cfa| rule.is_signal || is_below(cfa)) else {
            self.trail.lose();
            return (0, None);
        };
        let next = self.registers(now, rule, cfa);
        if next.is_none() {
            self.trail.lose();
        }
        (cfa, next.filter(|next| next.ip >= LOWEST))
    }

    fn cfa(&mut self, now: Registers, cfa: Cfa) -> Option<u64> {
        match cfa {
            Cfa::Sp(offset) => Some(now.sp.wrapping_add_signed(offset)),
            Cfa::AtSp(offset) => self.word(now.sp.wrapping_add_signed(offset)),
            Cfa::Fp(offset) => {
                self.trail.depends_on_pointer();
                Some(now.fp.wrapping_add_signed(offset))
            }
            Cfa::AtFp(offset) => {
                self.trail.depends_on_pointer();
                self.word(now.fp.wrapping_add_signed(offset))
            }
            Cfa::None | Cfa::End => None,
        }
    }

    fn registers(&mut self, now: Registers, rule: Rule, cfa: u64) -> Option<Registers> {
        let ip = match self.place(now, rule.ip, cfa) {
            Some(place) => self.word(place)?,
            None => Some(now.link).filter(|&link| link != 0)?,
        };
        let ip = processor::without_signature(ip);
        let mut fp = now.fp;
        if let Some(place) = self.place(now, rule.fp, cfa) {
            fp = self.stack.read(place)?;
            self.trail.has_pointer_from(place);
        }
        let mut link = 0;
        if rule.is_signal {
            if let Some(offset) = processor::SIGNAL_LINK {
                link = self.word(now.sp.wrapping_add(offset))?;
            }
            // The interrupted code may have run on another stack.
            self.stack.go_to(cfa, self.state);
        }
        Some(Registers { ip, sp: cfa, fp, link, is_exact: rule.is_signal })
    }

    /// Where a register is saved. `None`: it is not.
    fn place(&mut self, now: Registers, saved: Saved, cfa: u64) -> Option<u64> {
        match saved {
            Saved::Same => None,
            Saved::AtCfa(offset) => Some(cfa.wrapping_add_signed(offset)),
            Saved::AtSp(offset) => Some(now.sp.wrapping_add_signed(offset)),
            Saved::AtFp(offset) => {
                self.trail.depends_on_pointer();
                Some(now.fp.wrapping_add_signed(offset))
            }
        }
    }

    /// A word of the stack that the walk depends on.
    fn word(&mut self, address: u64) -> Option<u64> {
        let word = self.stack.read(address)?;
        self.trail.depends_on(address);
        Some(word)
    }
}

/// Return addresses and the addresses of their frames, the innermost first.
struct Frames {
    words: [MaybeUninit<u64>; 2 * MOST_FRAMES],
    length: usize,
}

impl Frames {
    fn new() -> Self {
        Self { words: [const { MaybeUninit::uninit() }; 2 * MOST_FRAMES], length: 0 }
    }

    /// Adds a frame. `false`: no further one has room.
    fn push(&mut self, ip: u64, cfa: u64) -> bool {
        for word in [ip, cfa] {
            if let Some(place) = self.words.get_mut(self.length) {
                place.write(word);
                self.length += 1;
            }
        }
        self.length < self.words.len()
    }

    fn word(&self, index: usize) -> u64 {
        let word = self.words.get(index).filter(|_| index < self.length);
        // SAFETY: `push` has written the words up to the length.
        word.map_or(0, |word| unsafe { word.assume_init() })
    }

    fn hash(&self) -> u64 {
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut hash = module::generation();
        for index in 0..self.length {
            hash = (hash ^ self.word(index)).wrapping_mul(FACTOR).rotate_left(32);
        }
        hash ^ self.length as u64
    }

    /// The number of these frames, by which events name them.
    fn number(&self, guard: &mut Guard) -> u32 {
        let hash = self.hash();
        if let Some(number) = known(hash) {
            return number;
        }
        let Some(head) = session::head() else { return 0 };
        let number = loop {
            let number = head.stacks.fetch_add(1, Relaxed);
            if number != 0 {
                break number;
            }
        };
        let front = [number.into(), self.length as u64 / 2];
        let others = self.length;
        let body = Body { kind: Kind::Stack, front: &front, others, other: |at| self.word(at) };
        let recorded = write::record(guard, body);
        if !recorded {
            return 0;
        }
        keep(hash, number);
        number
    }
}

/// Stacks that are remembered.
const STACKS: usize = 32768;
static KNOWN: [[AtomicU64; 2]; STACKS] = [const { [const { AtomicU64::new(0) }; 2] }; STACKS];

/// A stack's place. The first word is the hash and the number, as in rules.rs.
fn place(hash: u64) -> Option<&'static [AtomicU64; 2]> {
    KNOWN.get(hash as usize % STACKS)
}

/// The number of a stack that was recorded by any thread.
fn known(hash: u64) -> Option<u32> {
    let [check, number] = place(hash)?;
    // Acquire: pairs with the release in `keep`. The stack was recorded before.
    let number = number.load(Acquire);
    (number != 0 && check.load(Relaxed) ^ number == hash).then_some(number as u32)
}

fn keep(hash: u64, number: u32) {
    if let Some([check, place]) = place(hash) {
        check.store(hash ^ u64::from(number), Relaxed);
        place.store(number.into(), Release);
    }
}
