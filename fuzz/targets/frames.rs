//! Unwinding tables, as the recorder reads them in the program. Some inputs are any bytes. The others become a table
//! with one function, whose instructions are any bytes: a rule that is found must be the one that gimli finds, if gimli
//! knows the instructions.
#![no_main]

#[path = "../../track/record/src/cfi/mod.rs"]
#[allow(dead_code, reason = "the recorder uses all of it")]
mod cfi;
#[path = "../../track/record/src/rules.rs"]
#[allow(dead_code, reason = "as above")]
mod rules;

use cfi::Section;
use gimli::{
    BaseAddresses, CfaRule, EhFrame, LittleEndian, Operation, Register, RegisterRule,
    UnwindContext, UnwindExpression, UnwindSection, UnwindTableRow,
};
use libfuzzer_sys::fuzz_target;
use processor::dwarf::{FRAME_POINTER, RETURN_ADDRESS, STACK_POINTER};
use rules::{Cfa, Rule, Saved};

/// Modules of the recorder that the tables do not need.
mod module {
    use crate::cfi::Section;

    pub struct Module {
        pub header: u64,
    }

    impl Module {
        pub fn section(&self) -> Option<Section<'static>> {
            None
        }
    }

    pub fn at(_: u64) -> Option<Module> {
        None
    }

    pub fn generation() -> u64 {
        0
    }
}

/// The numbers of x86-64.
mod processor {
    pub mod dwarf {
        pub const FRAME_POINTER: u64 = 6;
        pub const STACK_POINTER: u64 = 7;
        pub const RETURN_ADDRESS: u64 = 16;
    }

    pub fn signal_rule(_: u64) -> Option<crate::rules::Rule> {
        None
    }
}

/// Where the table is, and where the function begins.
const TABLE: u64 = 0x10_0000;
const FUNCTION: u64 = 0x20_0000;
const FUNCTION_BYTES: u32 = 0x1_0000;

fuzz_target!(|data: &[u8]| {
    let Some((&[choice, low, high, common], bytes)) = data.split_first_chunk() else { return };
    let at = u64::from(u16::from_le_bytes([low, high]));
    if choice % 8 == 0 {
        let section = Section { bytes, address: TABLE };
        // A library's code is before its table.
        for address in [TABLE + at, TABLE - at, 0, u64::MAX] {
            cfi::rule(section, TABLE, address);
        }
        return;
    }
    let (common, own) = bytes.split_at(usize::from(common).min(bytes.len()));
    let entries = Entries::new(choice, common, own);
    let section = Section { bytes: &entries.bytes, address: TABLE };
    if let Some(rule) = cfi::rule(section, TABLE, FUNCTION + at) {
        entries.compare(FUNCTION + at, rule);
    }
});

/// The section: .eh_frame_hdr with one function, and then .eh_frame.
#[derive(Debug)]
struct Entries {
    bytes: Vec<u8>,
    eh_frame: usize,
    function: usize,
}

impl Entries {
    fn new(choice: u8, common: &[u8], own: &[u8]) -> Self {
        let mut bytes = vec![1, 0x1b, 3, 0x3b];
        let eh_frame = 4 + 4 + 4 + 8;
        bytes.extend((eh_frame as i32 - 4).to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(((FUNCTION - TABLE) as u32).to_le_bytes());
        let place_of_entry = bytes.len();
        bytes.extend([0; 4]);

        let is_signal = choice & 0x80 != 0;
        let units: [u8; 2] =
            [[1, 0x78], [4, 0x7c], [1, 8], [2, 0x70]][usize::from(choice >> 5 & 3)];
        let mut front = vec![0, 0, 0, 0, 1];
        front.extend(if is_signal { &b"zRS\0"[..] } else { &b"zR\0"[..] });
        front.extend(units);
        front.extend([RETURN_ADDRESS as u8, 1, 0x1b]);
        entry(&mut bytes, &[&front, common].concat());

        let function = bytes.len();
        bytes[place_of_entry..place_of_entry + 4].copy_from_slice(&(function as u32).to_le_bytes());
        let mut front = ((function + 4 - eh_frame) as u32).to_le_bytes().to_vec();
        let here = TABLE + function as u64 + 8;
        front.extend(((FUNCTION - here) as u32).to_le_bytes());
        front.extend(FUNCTION_BYTES.to_le_bytes());
        front.push(0);
        entry(&mut bytes, &[&front, own].concat());
        bytes.extend([0; 4]);
        Self { bytes, eh_frame, function }
    }

    /// Compares a rule with the one that gimli finds.
    fn compare(&self, address: u64, rule: Rule) {
        let table = EhFrame::new(&self.bytes[self.eh_frame..], LittleEndian);
        let bases = BaseAddresses::default().set_eh_frame(TABLE + self.eh_frame as u64);
        let offset = (self.function - self.eh_frame).into();
        let function =
            table.fde_from_offset(&bases, offset, EhFrame::cie_from_offset).expect("an entry");
        let mut context = UnwindContext::new();
        let row = function.unwind_info_for_address(&table, &bases, &mut context, address);
        let Ok(row) = row else { return };
        let expected = model(&table, row, function.is_signal_trampoline());
        assert_eq!(Some(rule), expected, "{self:x?}");
    }
}

type Table<'a> = EhFrame<gimli::EndianSlice<'a, LittleEndian>>;

/// The rule of a row.
fn model(table: &Table<'_>, row: &UnwindTableRow<usize>, is_signal: bool) -> Option<Rule> {
    let register = |number: u64| row.register(Register(number as u16));
    if register(RETURN_ADDRESS) == Some(RegisterRule::Undefined) {
        return Some(Rule { cfa: Cfa::End, ..Rule::NONE });
    }
    let cfa = match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => (u64::from(register.0), *offset, false),
        CfaRule::Expression(expression) => word(table, expression)?,
    };
    let cfa = match cfa {
        (STACK_POINTER, offset, false) => Cfa::Sp(offset),
        (FRAME_POINTER, offset, false) => Cfa::Fp(offset),
        (STACK_POINTER, offset, true) => Cfa::AtSp(offset),
        (FRAME_POINTER, offset, true) => Cfa::AtFp(offset),
        _ => return None,
    };
    let saved = |number| match register(number) {
        None | Some(RegisterRule::Undefined | RegisterRule::SameValue) => Some(Saved::Same),
        Some(RegisterRule::Offset(offset)) => Some(Saved::AtCfa(offset)),
        Some(RegisterRule::Expression(expression)) => match word(table, &expression)? {
            (STACK_POINTER, offset, false) => Some(Saved::AtSp(offset)),
            (FRAME_POINTER, offset, false) => Some(Saved::AtFp(offset)),
            _ => None,
        },
        Some(_) => None,
    };
    Some(Rule { cfa, fp: saved(FRAME_POINTER)?, ip: saved(RETURN_ADDRESS)?, is_signal })
}

/// Appends an entry: its length, and its bytes.
fn entry(bytes: &mut Vec<u8>, content: &[u8]) {
    bytes.extend((content.len() as u32).to_le_bytes());
    bytes.extend(content);
}

/// A register, a number, and whether it is the word there.
fn word(table: &Table<'_>, expression: &UnwindExpression<usize>) -> Option<(u64, i64, bool)> {
    let encoding = gimli::Encoding { address_size: 8, format: gimli::Format::Dwarf32, version: 4 };
    let mut operations = expression.get(table).ok()?.operations(encoding);
    let Some(Operation::RegisterOffset { register, mut offset, .. }) = operations.next().ok()?
    else {
        return None;
    };
    let mut is_word = false;
    while let Some(operation) = operations.next().ok()? {
        match operation {
            Operation::PlusConstant { value } if !is_word => {
                offset = offset.wrapping_add(value as i64);
            }
            Operation::Deref { space: false, size: 8, .. } if !is_word => is_word = true,
            _ => return None,
        }
    }
    Some((u64::from(register.0), offset, is_word))
}
