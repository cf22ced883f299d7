//! Sections of files, for gimli. The files are mapped; compressed sections are decompressed once.
//!
//! The sizes of a file are checked before it is read: the file may be anybody's.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use gimli::{Dwarf, EndianSlice, LittleEndian};
use memmap2::Mmap;
use object::{Object, ObjectSection, SymbolMap, SymbolMapName};

use super::separate::Link;
use crate::elf;

/// A part of a section.
pub type Slice = EndianSlice<'static, LittleEndian>;
/// A file.
pub type Elf = object::File<'static>;

/// The bytes that slices point to.
#[derive(Default)]
pub struct Held {
    files: RefCell<Vec<Mmap>>,
    sections: RefCell<Vec<Box<[u8]>>>,
}

impl Held {
    /// A file, if it is an ELF file and claims no size that it does not have. The file is valid as long as `self`.
    pub fn object(&self, file: &File) -> Option<Elf> {
        // SAFETY: the file may change while it is mapped. The bytes are only read as numbers and texts, each of which
        // is checked; mishap.rs handles a file that gets shorter.
        let map = unsafe { Mmap::map(file) }.ok()?;
        // SAFETY: the mapping stays where it is until `self` is dropped, and the caller keeps no slice for longer.
        let bytes = unsafe { forever(&map) };
        self.files.borrow_mut().push(map);
        let object = object::File::parse(bytes).ok()?;
        let is_read = object.is_little_endian() && !elf::claims_too_much(&object);
        is_read.then_some(object)
    }

    /// A file's DWARF, and what it refers to in a file that several files share (dwz).
    pub fn dwarf(
        &self,
        object: &Elf,
        supplement: impl FnOnce(Link) -> Option<File>,
    ) -> Option<Dwarf<Slice>> {
        let mut dwarf = Dwarf::load(|id| self.section(object, Some(id.name()))).ok()?;
        let shared = object
            .gnu_debugaltlink()
            .ok()
            .flatten()
            .and_then(|(name, build_id)| self.object(&supplement(Link { name, build_id })?));
        if let Some(shared) = shared {
            dwarf.load_sup(|id| self.section(&shared, Some(id.name()))).ok()?;
        }
        dwarf.populate_abbreviations_cache(gimli::AbbreviationsCacheStrategy::Duplicates);
        Some(dwarf)
    }

    /// The DWARF of a unit that the compiler has written to a file of its own.
    pub fn split(
        &self,
        file: &File,
        id: gimli::DwoId,
        parent: &Dwarf<Slice>,
    ) -> Option<Dwarf<Slice>> {
        let object = self.object(file)?;
        let mut dwarf = Dwarf::load(|id| self.section(&object, id.dwo_name())).ok()?;
        let unit = dwarf.units().next().ok()??;
        if dwarf.unit(unit).ok()?.dwo_id != Some(id) {
            return None; // of another compilation
        }
        dwarf.make_dwo(parent);
        Some(dwarf)
    }

    fn section(&self, object: &Elf, name: Option<&str>) -> object::Result<Slice> {
        let section = name.and_then(|name| object.section_by_name(name));
        let bytes = match section.map(|section| section.uncompressed_data()).transpose()? {
            Some(Cow::Borrowed(bytes)) => bytes,
            Some(Cow::Owned(bytes)) => {
                let bytes = bytes.into_boxed_slice();
                // SAFETY: the box stays where it is until `self` is dropped, and the caller keeps no slice for longer.
                let section = unsafe { forever(&bytes) };
                self.sections.borrow_mut().push(bytes);
                section
            }
            None => &[],
        };
        Ok(EndianSlice::new(bytes, LittleEndian))
    }
}

/// # Safety
/// Nobody uses the bytes when they are gone.
unsafe fn forever(bytes: &[u8]) -> &'static [u8] {
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr(), bytes.len()) }
}

/// Whether a file has lines. A stripped file has none; its separate debug file has them.
pub fn has_dwarf(object: &Elf) -> bool {
    let section = object.section_by_name(".debug_info");
    section.is_some_and(|section| section.file_range().is_some_and(|(_, size)| size > 0))
}

/// The symbols of a file.
pub fn symbols(object: &Elf) -> SymbolMap<SymbolMapName<'static>> {
    object.symbol_map()
}

/// Bytes of debug information as a path.
pub fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}
