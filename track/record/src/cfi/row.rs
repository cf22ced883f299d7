//! What the tables say of one address, before it becomes a rule.

use crate::processor::dwarf::{FRAME_POINTER, STACK_POINTER};
use crate::rules::{Cfa, Rule, Saved};

/// The rules at one address.
#[derive(Clone, Copy)]
pub struct Row {
    /// The canonical address of the frame.
    pub cfa: Address,
    /// The caller's frame pointer.
    pub fp: Register,
    /// The return address.
    pub ip: Register,
}

/// An address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// Not by the registers that the recorder knows.
    Unknown,
    /// A register plus a number.
    Plus(u64, i64),
    /// The word there.
    At(u64, i64),
}

/// Where a register was saved.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Register {
    /// In the register.
    Same,
    /// Nowhere: of the return address, that no function has called this one.
    Undefined,
    /// Not where the recorder can read it.
    Unknown,
    /// In memory, at this distance in bytes from the CFA.
    AtCfa(i64),
    /// At an address.
    At(Address),
}

impl Row {
    /// Before the first instruction.
    pub const FIRST: Self = Self { cfa: Address::Unknown, fp: Register::Same, ip: Register::Same };

    /// The row as a rule, if the recorder can follow it.
    pub fn rule(self, is_signal: bool) -> Option<Rule> {
        if self.ip == Register::Undefined {
            return Some(Rule { cfa: Cfa::End, ..Rule::NONE });
        }
        let cfa = match self.cfa {
            Address::Plus(STACK_POINTER, offset) => Cfa::Sp(offset),
            Address::Plus(FRAME_POINTER, offset) => Cfa::Fp(offset),
            Address::At(STACK_POINTER, offset) => Cfa::AtSp(offset),
            Address::At(FRAME_POINTER, offset) => Cfa::AtFp(offset),
            _ => return None,
        };
        let saved = |register| match register {
            Register::Same | Register::Undefined => Some(Saved::Same),
            Register::AtCfa(offset) => Some(Saved::AtCfa(offset)),
            Register::At(Address::Plus(STACK_POINTER, offset)) => Some(Saved::AtSp(offset)),
            Register::At(Address::Plus(FRAME_POINTER, offset)) => Some(Saved::AtFp(offset)),
            _ => None,
        };
        Some(Rule { cfa, fp: saved(self.fp)?, ip: saved(self.ip)?, is_signal })
    }
}
