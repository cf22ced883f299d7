//! How the frame of a return address is unwound: a rule in one word, and the rules that were found before.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::cfi;
use crate::module;
use crate::processor;

/// Where a frame's canonical address (CFA) comes from: the stack pointer after the return.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cfa {
    /// Nothing is known.
    None,
    /// From the stack pointer.
    Sp(i64),
    /// From the frame pointer.
    Fp(i64),
    /// The word there.
    AtSp(i64),
    /// The word there.
    AtFp(i64),
    /// No function has called this one.
    End,
}

/// Where a register of the caller is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Saved {
    /// In the register.
    Same,
    /// In memory, at this distance in bytes from the CFA.
    AtCfa(i64),
    /// In memory, at this distance in bytes from the stack pointer.
    AtSp(i64),
    /// In memory, at this distance in bytes from the frame pointer.
    AtFp(i64),
}

/// A rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// The caller's stack pointer.
    pub cfa: Cfa,
    /// The caller's frame pointer.
    pub fp: Saved,
    /// The return address.
    pub ip: Saved,
    /// Whether the caller was interrupted by a signal: its address is that of the next instruction.
    pub is_signal: bool,
}

impl Rule {
    /// A frame of which nothing is known.
    pub const NONE: Self =
        Self { cfa: Cfa::None, fp: Saved::Same, ip: Saved::Same, is_signal: false };

    /// The rule in a word: 3 bits for the kind of the CFA, 1 for a signal, 24 for the CFA's offset, and twice 2
    /// for the kind of a register and 16 for its offset in words. `None` if an offset is too large.
    fn packed(self) -> Option<u64> {
        let (kind, offset) = match self.cfa {
            Cfa::None => (1, 0),
            Cfa::Sp(offset) => (2, offset),
            Cfa::Fp(offset) => (3, offset),
            Cfa::AtSp(offset) => (4, offset),
            Cfa::AtFp(offset) => (5, offset),
            Cfa::End => (6, 0),
        };
        let saved = |saved| match saved {
            Saved::Same => Some(0),
            Saved::AtCfa(offset) => words(offset).map(|words| 1 | words << 2),
            Saved::AtSp(offset) => words(offset).map(|words| 2 | words << 2),
            Saved::AtFp(offset) => words(offset).map(|words| 3 | words << 2),
        };
        let is_small = (-(1 << 23)..1 << 23).contains(&offset);
        let offset = (offset as u64 & 0xff_ffff) << 4;
        let front = kind | u64::from(self.is_signal) << 3 | offset;
        is_small.then_some(front | saved(self.fp)? << 28 | saved(self.ip)? << 46)
    }

    fn unpacked(word: u64) -> Self {
        let offset = ((word << 36) as i64) >> 40;
        let cfa = match word & 7 {
            2 => Cfa::Sp(offset),
            3 => Cfa::Fp(offset),
            4 => Cfa::AtSp(offset),
            5 => Cfa::AtFp(offset),
            6 => Cfa::End,
            _ => Cfa::None,
        };
        let saved = |bits: u64| {
            let offset = 8 * i64::from((bits >> 2) as i16);
            match bits & 3 {
                1 => Saved::AtCfa(offset),
                2 => Saved::AtSp(offset),
                3 => Saved::AtFp(offset),
                _ => Saved::Same,
            }
        };
        Self { cfa, fp: saved(word >> 28), ip: saved(word >> 46), is_signal: word & 8 != 0 }
    }
}

/// An offset in words of the stack, in 16 bits.
fn words(offset: i64) -> Option<u64> {
    let words = i16::try_from(offset / 8).ok().filter(|_| offset % 8 == 0)?;
    Some(u64::from(words as u16))
}

/// Rules that are remembered.
const RULES: usize = 8192;
static KNOWN: [Known; RULES] = [const { Known::new() }; RULES];

/// A rule of an address. Threads write both words without a lock. The first word is the key and the rule, so a reader
/// who finds the words of two writers does not take them for a rule.
struct Known {
    check: AtomicU64,
    rule: AtomicU64,
}

impl Known {
    const fn new() -> Self {
        Self { check: AtomicU64::new(0), rule: AtomicU64::new(0) }
    }
}

/// The rule for the code at an address: that of a call, not the one after it.
#[inline]
pub fn at(address: u64) -> Rule {
    let key = address ^ module::generation().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let place = (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 51) as usize % RULES;
    let Some(known) = KNOWN.get(place) else { return Rule::NONE };
    let rule = known.rule.load(Relaxed);
    if rule != 0 && known.check.load(Relaxed) ^ rule == key {
        return Rule::unpacked(rule);
    }
    find(address, key, known)
}

#[cold]
#[inline(never)]
fn find(address: u64, key: u64, known: &Known) -> Rule {
    let by_tables =
        module::at(address).and_then(|module| cfi::rule(module.section()?, module.header, address));
    let found = match by_tables {
        Some(rule) if !rule.is_signal => by_tables,
        _ => processor::signal_rule(address + 1).or(by_tables),
    };
    let rule = found.and_then(Rule::packed).or_else(|| Rule::NONE.packed()).unwrap_or(0);
    known.check.store(key ^ rule, Relaxed);
    known.rule.store(rule, Relaxed);
    Rule::unpacked(rule)
}

#[cfg(test)]
mod tests {
    use super::{Cfa, Rule, Saved};

    #[test]
    fn a_rule_in_a_word() {
        let offsets = [0, 8, -8, 16, -16, 8 * 32767, -8 * 32768];
        for fp in offsets {
            for ip in offsets {
                for cfa in [0, 1, -1, 8, (1 << 23) - 1, -(1 << 23)] {
                    for (cfa, fp, ip) in [
                        (Cfa::Sp(cfa), Saved::AtCfa(fp), Saved::AtSp(ip)),
                        (Cfa::Fp(cfa), Saved::AtFp(fp), Saved::AtCfa(ip)),
                        (Cfa::AtSp(cfa), Saved::Same, Saved::AtFp(ip)),
                        (Cfa::AtFp(cfa), Saved::AtSp(fp), Saved::Same),
                        (Cfa::End, Saved::Same, Saved::Same),
                        (Cfa::None, Saved::Same, Saved::Same),
                    ] {
                        for is_signal in [false, true] {
                            let rule = Rule { cfa, fp, ip, is_signal };
                            let word = rule.packed().expect("it fits");
                            assert_ne!(word, 0);
                            assert_eq!(Rule::unpacked(word), rule);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn offsets_that_do_not_fit() {
        for (cfa, saved) in [
            (Cfa::Sp(1 << 23), Saved::Same),
            (Cfa::Sp(0), Saved::AtCfa(8 * 32768)),
            (Cfa::Sp(0), Saved::AtCfa(4)),
        ] {
            let rule = Rule { cfa, fp: saved, ip: Saved::Same, is_signal: false };
            assert_eq!(rule.packed(), None);
        }
    }
}
