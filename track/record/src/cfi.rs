//! The unwinding tables, .eh_frame: the rule of one address.
//!
//! What is read here is the file of a program, which may be damaged. All reads are checked.

mod bytes;

use bytes::Reader;
pub use bytes::Section;

use crate::module::Module;
use crate::processor::dwarf::{FRAME_POINTER, RETURN_ADDRESS, STACK_POINTER};
use crate::rules::{Cfa, Rule, Saved};

/// The rule for the code at an address.
pub fn rule(module: &Module, address: u64) -> Option<Rule> {
    rule_in(module.section()?, module.header, address)
}

/// The rule by the table whose header is at `header`.
pub fn rule_in(section: Section<'_>, header: u64, address: u64) -> Option<Rule> {
    let entry = entry(section, header, address)?;
    let mut reader = section.reader(entry)?;
    let (at, _) = begin(&mut reader)?;
    let common = at.wrapping_sub(reader.u32()?.into());
    let common = Common::read(section.reader(common)?)?;
    let first = reader.pointer(common.encoding)?;
    let size = reader.pointer(common.encoding & 0x0f)?;
    if address.wrapping_sub(first) >= size {
        return None;
    }
    if common.has_data {
        let length = reader.unsigned()?;
        reader.skip(length)?;
    }
    let mut run = Run::new(&common);
    run.all(common.instructions, u64::MAX)?;
    run.initial = run.row;
    run.location = first;
    run.all(reader, address)?;
    run.row.rule(common.is_signal)
}

/// Reads the length of an entry. Returns the address behind it.
fn begin(reader: &mut Reader<'_>) -> Option<(u64, usize)> {
    let length = reader.u32()? as usize;
    // 0 ends the table; the largest one begins a length of 64 bits, which nobody writes.
    if length == 0 || length == u32::MAX as usize {
        return None;
    }
    let end = reader.at.checked_add(length).filter(|&end| end <= reader.end)?;
    reader.end = end;
    Some((reader.address(), end))
}

/// What every linker writes at the header's start: version 1; .eh_frame's address relative to here; a count of four
/// bytes; a table of addresses relative to the header's start, in order.
const USUAL: [u8; 4] = [1, 0x1b, 0x03, 0x3b];

/// The address of the entry (FDE) of the function around `address`, if there is one.
fn entry(section: Section<'_>, header: u64, address: u64) -> Option<u64> {
    let mut reader = section.reader(header)?;
    if reader.bytes()? != USUAL {
        return None;
    }
    reader.i32()?;
    let count = reader.u32()? as usize;
    let table = reader;
    let word = |index: usize| {
        let mut reader = table;
        reader.skip(4 * index as u64)?;
        reader.i32()
    };
    let wanted = address.wrapping_sub(header) as i64;
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if word(2 * middle)? <= wanted {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let found = word(2 * low.checked_sub(1)? + 1)?;
    Some(header.wrapping_add_signed(found))
}

/// What several entries have in common (CIE).
struct Common<'a> {
    code_unit: u64,
    data_unit: i64,
    encoding: u8,
    has_data: bool,
    is_signal: bool,
    instructions: Reader<'a>,
}

impl<'a> Common<'a> {
    fn read(mut reader: Reader<'a>) -> Option<Self> {
        begin(&mut reader)?;
        let id = reader.u32()?;
        let version = reader.u8()?;
        if id != 0 || !matches!(version, 1 | 3) {
            return None;
        }
        let mut augmentation = reader;
        while reader.u8()? != 0 {}
        let code_unit = reader.unsigned()?;
        let data_unit = reader.signed()?;
        let register = if version == 1 { reader.u8()?.into() } else { reader.unsigned()? };
        if register != RETURN_ADDRESS {
            return None;
        }
        let mut common = Self {
            code_unit,
            data_unit,
            encoding: 0,
            has_data: false,
            is_signal: false,
            instructions: reader,
        };
        common.augment(&mut augmentation, &mut reader)?;
        Some(common)
    }

    fn augment(&mut self, letters: &mut Reader<'a>, reader: &mut Reader<'a>) -> Option<()> {
        let mut behind = None;
        loop {
            match letters.u8()? {
                0 => break,
                b'z' => {
                    self.has_data = true;
                    let length = reader.unsigned()?;
                    let mut end = *reader;
                    end.skip(length)?;
                    behind = Some(end);
                }
                b'R' => self.encoding = reader.u8()?,
                b'L' => _ = reader.u8()?,
                b'P' => {
                    let encoding = reader.u8()?;
                    reader.pointer(encoding & 0x0f)?;
                }
                b'S' => self.is_signal = true,
                // aarch64: signed with another key; with tags.
                b'B' | b'G' => {}
                _ => return None,
            }
        }
        self.instructions = behind.unwrap_or(*reader);
        Some(())
    }
}

/// The rules at one address.
#[derive(Clone, Copy)]
struct Row {
    cfa: Address,
    fp: Register,
    ip: Register,
}

/// An address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Address {
    Unknown,
    /// A register plus a number.
    Plus(u64, i64),
    /// The word there.
    At(u64, i64),
}

/// Where a register was saved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Register {
    Same,
    Undefined,
    Unknown,
    AtCfa(i64),
    At(Address),
}

impl Row {
    fn rule(self, is_signal: bool) -> Option<Rule> {
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

/// Rows that DW_CFA_remember_state may put aside.
const REMEMBERED: usize = 4;

/// The instructions, as they are carried out.
struct Run {
    code_unit: u64,
    data_unit: i64,
    location: u64,
    row: Row,
    initial: Row,
    remembered: [Row; REMEMBERED],
    depth: usize,
}

impl Run {
    fn new(common: &Common<'_>) -> Self {
        let row = Row { cfa: Address::Unknown, fp: Register::Same, ip: Register::Same };
        Self {
            code_unit: common.code_unit,
            data_unit: common.data_unit,
            location: 0,
            row,
            initial: row,
            remembered: [row; REMEMBERED],
            depth: 0,
        }
    }

    /// Carries out the instructions up to an address.
    fn all(&mut self, mut reader: Reader<'_>, address: u64) -> Option<()> {
        while reader.at < reader.end && self.location <= address {
            let before = self.row;
            self.one(&mut reader)?;
            if self.location > address {
                self.row = before;
            }
        }
        Some(())
    }

    fn one(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let instruction = reader.u8()?;
        let low = u64::from(instruction & 0x3f);
        match instruction >> 6 {
            1 => self.advance(low),
            2 => {
                let offset = reader.unsigned()?;
                self.save(low, offset as i64);
            }
            3 => self.restore(low),
            _ => self.extended(instruction, reader)?,
        }
        Some(())
    }

    fn extended(&mut self, instruction: u8, reader: &mut Reader<'_>) -> Option<()> {
        match instruction {
            // nop; DW_CFA_AARCH64_negate_ra_state, and return addresses are always freed of signatures
            0x00 | 0x2d => {}
            0x02 => {
                let by = reader.u8()?;
                self.advance(by.into());
            }
            0x03 => {
                let by = reader.u16()?;
                self.advance(by.into());
            }
            0x04 => {
                let by = reader.u32()?;
                self.advance(by.into());
            }
            0x05 => {
                let (register, offset) = (reader.unsigned()?, reader.unsigned()?);
                self.save(register, offset as i64);
            }
            0x11 => {
                let (register, offset) = (reader.unsigned()?, reader.signed()?);
                self.save(register, offset);
            }
            // DW_CFA_GNU_negative_offset_extended
            0x2f => {
                let (register, offset) = (reader.unsigned()?, reader.unsigned()?);
                self.save(register, (offset as i64).wrapping_neg());
            }
            0x06 => {
                let register = reader.unsigned()?;
                self.restore(register);
            }
            0x07 => {
                let register = reader.unsigned()?;
                self.set(register, Register::Undefined);
            }
            0x08 => {
                let register = reader.unsigned()?;
                self.set(register, Register::Same);
            }
            // In another register; its value is that of the CFA and a number
            0x09 | 0x14 | 0x15 => {
                let register = reader.unsigned()?;
                reader.unsigned()?;
                self.set(register, Register::Unknown);
            }
            0x0a => {
                *self.remembered.get_mut(self.depth)? = self.row;
                self.depth += 1;
            }
            0x0b => {
                self.depth = self.depth.checked_sub(1)?;
                self.row = *self.remembered.get(self.depth)?;
            }
            0x0c => self.row.cfa = Address::Plus(reader.unsigned()?, reader.unsigned()? as i64),
            0x12 => {
                let (register, offset) = (reader.unsigned()?, reader.signed()?);
                self.row.cfa = Address::Plus(register, offset.wrapping_mul(self.data_unit));
            }
            0x0d => {
                let register = reader.unsigned()?;
                self.row.cfa = match self.row.cfa {
                    Address::Plus(_, offset) => Address::Plus(register, offset),
                    _ => Address::Unknown,
                };
            }
            0x0e => {
                let offset = reader.unsigned()?;
                self.set_offset(offset as i64);
            }
            0x13 => {
                let offset = reader.signed()?;
                self.set_offset(offset.wrapping_mul(self.data_unit));
            }
            0x0f => self.row.cfa = expression(reader)?,
            0x10 => {
                let register = reader.unsigned()?;
                let place = expression(reader)?;
                self.set(register, Register::At(place));
            }
            // The register's value is an expression's
            0x16 => {
                let register = reader.unsigned()?;
                expression(reader)?;
                self.set(register, Register::Unknown);
            }
            // DW_CFA_GNU_args_size
            0x2e => _ = reader.unsigned()?,
            _ => return None,
        }
        Some(())
    }

    fn advance(&mut self, by: u64) {
        self.location = self.location.saturating_add(by.saturating_mul(self.code_unit));
    }

    fn save(&mut self, register: u64, offset: i64) {
        self.set(register, Register::AtCfa(offset.wrapping_mul(self.data_unit)));
    }

    fn set(&mut self, register: u64, to: Register) {
        match register {
            FRAME_POINTER => self.row.fp = to,
            RETURN_ADDRESS => self.row.ip = to,
            _ => {}
        }
    }

    fn restore(&mut self, register: u64) {
        match register {
            FRAME_POINTER => self.row.fp = self.initial.fp,
            RETURN_ADDRESS => self.row.ip = self.initial.ip,
            _ => {}
        }
    }

    fn set_offset(&mut self, offset: i64) {
        self.row.cfa = match self.row.cfa {
            Address::Plus(register, _) => Address::Plus(register, offset),
            _ => Address::Unknown,
        };
    }
}

/// The expressions that compilers and the C library write for frames: a register, a number, and perhaps the word
/// there. Others are passed over.
fn expression(reader: &mut Reader<'_>) -> Option<Address> {
    let length = reader.unsigned()?;
    let mut inside = *reader;
    reader.skip(length)?;
    inside.end = reader.at;
    Some(address_of(&mut inside).unwrap_or(Address::Unknown))
}

fn address_of(inside: &mut Reader<'_>) -> Option<Address> {
    let register = match inside.u8()? {
        // DW_OP_breg0 to 31
        operation @ 0x70..=0x8f => u64::from(operation - 0x70),
        _ => return None,
    };
    let mut offset = inside.signed()?;
    let mut is_word = false;
    while inside.at < inside.end {
        match inside.u8()? {
            // DW_OP_plus_uconst
            0x23 if !is_word => offset = offset.checked_add_unsigned(inside.unsigned()?)?,
            // DW_OP_deref
            0x06 if !is_word => is_word = true,
            _ => return None,
        }
    }
    Some(if is_word { Address::At(register, offset) } else { Address::Plus(register, offset) })
}

#[cfg(test)]
mod tests;
