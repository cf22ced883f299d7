//! The unwinding tables, .eh_frame: the rule of one address.
//!
//! What is read here is the file of a program, which may be damaged. All reads are checked.

mod bytes;
mod row;
mod run;

use bytes::Reader;
pub use bytes::Section;
use run::Run;

use crate::processor::dwarf::RETURN_ADDRESS;
use crate::rules::Rule;

/// The rule for the code at an address, by the table whose header is at `header`.
pub fn rule(section: Section<'_>, header: u64, address: u64) -> Option<Rule> {
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
    let mut run = Run::new(common.code_unit, common.data_unit);
    run.begin(common.instructions, first)?;
    run.all(reader, address)?;
    run.row().rule(common.is_signal)
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

#[cfg(test)]
mod tests;
