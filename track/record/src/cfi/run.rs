//! The instructions of the tables, which make one row out of another.

use super::bytes::Reader;
use super::row::{Address, Register, Row};
use crate::processor::dwarf::{FRAME_POINTER, RETURN_ADDRESS};

/// Rows that DW_CFA_remember_state may put aside.
const REMEMBERED: usize = 4;

/// The instructions, as they are carried out.
pub struct Run {
    code_unit: u64,
    data_unit: i64,
    location: u64,
    row: Row,
    initial: Row,
    remembered: [Row; REMEMBERED],
    depth: usize,
}

impl Run {
    /// Before the first instruction, with the units of the code's and the data's offsets.
    pub fn new(code_unit: u64, data_unit: i64) -> Self {
        Self {
            code_unit,
            data_unit,
            location: 0,
            row: Row::FIRST,
            initial: Row::FIRST,
            remembered: [Row::FIRST; REMEMBERED],
            depth: 0,
        }
    }

    /// Carries out what several functions have in common. The function begins at `first`.
    pub fn begin(&mut self, instructions: Reader<'_>, first: u64) -> Option<()> {
        self.all(instructions, u64::MAX)?;
        self.initial = self.row;
        self.location = first;
        Some(())
    }

    /// The row that was reached.
    pub fn row(&self) -> Row {
        self.row
    }

    /// Carries out the instructions up to an address.
    pub fn all(&mut self, mut reader: Reader<'_>, address: u64) -> Option<()> {
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
