//! Checked reads of memory that may be damaged.

/// Memory of a module, and its address.
#[derive(Clone, Copy)]
pub struct Section<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Where they are.
    pub address: u64,
}

/// A place in a section.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    section: Section<'a>,
    /// The place of the next byte.
    pub at: usize,
    /// The place behind the last byte that may be read.
    pub end: usize,
}

impl<'a> Section<'a> {
    /// A reader from an address on.
    pub fn reader(self, address: u64) -> Option<Reader<'a>> {
        let at = usize::try_from(address.checked_sub(self.address)?).ok()?;
        let end = self.bytes.len();
        (at < end).then_some(Reader { section: self, at, end })
    }
}

impl<'a> Reader<'a> {
    /// The next N bytes.
    pub fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let next = self.at.checked_add(N).filter(|&next| next <= self.end)?;
        let bytes = self.section.bytes.get(self.at..next)?.first_chunk::<N>()?;
        self.at = next;
        Some(*bytes)
    }

    /// Passes over bytes.
    pub fn skip(&mut self, bytes: u64) -> Option<()> {
        let next = self.at.checked_add(usize::try_from(bytes).ok()?)?;
        self.at = Some(next).filter(|&next| next <= self.end)?;
        Some(())
    }

    /// A byte.
    pub fn u8(&mut self) -> Option<u8> {
        Some(u8::from_ne_bytes(self.bytes()?))
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        Some(u16::from_ne_bytes(self.bytes()?))
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_ne_bytes(self.bytes()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_ne_bytes(self.bytes()?))
    }

    /// Four bytes with a sign.
    pub fn i32(&mut self) -> Option<i64> {
        Some(i32::from_ne_bytes(self.bytes()?).into())
    }

    /// A number of any length.
    pub fn unsigned(&mut self) -> Option<u64> {
        Some(self.number([0, 1])?.0)
    }

    /// A signed number of any length.
    pub fn signed(&mut self) -> Option<i64> {
        let (number, bits) = self.number([0, 0x7f])?;
        if bits >= 64 {
            return Some(number as i64);
        }
        Some((number << (64 - bits)) as i64 >> (64 - bits))
    }

    /// A number and how many bits it was written with. `tenth`: what the tenth byte may be, whose lowest bit is the
    /// last that a number has.
    fn number(&mut self, tenth: [u8; 2]) -> Option<(u64, u32)> {
        let (mut number, mut bits) = (0, 0);
        loop {
            let byte = self.u8()?;
            if bits == 63 && !tenth.contains(&byte) {
                return None;
            }
            number |= u64::from(byte & 0x7f) << bits;
            bits += 7;
            if byte & 0x80 == 0 {
                return Some((number, bits));
            }
        }
    }

    /// The address of the next byte.
    pub fn address(&self) -> u64 {
        self.section.address.wrapping_add(self.at as u64)
    }

    /// A pointer in one of the encodings that linkers write.
    pub fn pointer(&mut self, encoding: u8) -> Option<u64> {
        let from = match encoding & 0x70 {
            0 => 0,
            0x10 => self.address(),
            _ => return None,
        };
        let value = match encoding & 0x0f {
            0x00 | 0x04 | 0x0c => self.u64()?,
            0x01 => self.unsigned()?,
            0x02 => self.u16()?.into(),
            0x03 => self.u32()?.into(),
            0x09 => self.signed()? as u64,
            0x0a => i64::from(self.u16()? as i16) as u64,
            0x0b => self.i32()? as u64,
            _ => return None,
        };
        Some(value.wrapping_add(from))
    }
}
