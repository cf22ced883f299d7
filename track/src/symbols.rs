//! Names for addresses: function, file and line, with what the compiler inlined.

use std::path::{Component, Path, PathBuf};

use addr2line::Loader;
use rustc_hash::FxBuildHasher;

use crate::modules::Module;
use crate::names::Names;

/// A function in which a stack's walk passed, or which was inlined there.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// Its name; empty if nothing tells.
    pub function: &'static str,
    /// The source file; empty if nothing tells.
    pub file: &'static str,
    /// The line in it.
    pub line: u32,
    /// The file that was loaded; empty if the address is in none.
    pub module: &'static str,
    /// The address in it, which addr2line understands.
    pub offset: u64,
    /// How far into the function, for those that have no line.
    pub into: u64,
    /// The same for each place in one function, and for no other function.
    pub identity: u64,
}

/// The functions at an address of a module: what was inlined first.
pub fn at(module: Option<&Module>, offset: u64, names: &Names, here: &Path) -> Vec<Frame> {
    let Some(module) = module else {
        let (function, file, module) = ("", "", "");
        return vec![Frame { function, file, line: 0, module, offset, into: 0, identity: offset }];
    };
    let start = module.function(offset);
    let bare = Frame {
        function: "",
        file: "",
        line: 0,
        module: module.name,
        offset,
        into: start.map_or(0, |start| offset - start),
        identity: hash(&(module.name, start.unwrap_or(offset))),
    };
    let Some(loader) = module.loader() else { return vec![bare] };
    let mut found = inlined(loader, bare, names, here);
    if found.is_empty() {
        found.push(Frame { function: symbol(loader, bare, start, names), ..bare });
    }
    found
}

fn inlined(loader: &Loader, bare: Frame, names: &Names, here: &Path) -> Vec<Frame> {
    let mut found = Vec::new();
    let Ok(mut frames) = loader.find_frames(bare.offset) else { return found };
    while let Ok(Some(frame)) = frames.next() {
        let Some(function) = frame.function else { continue };
        let function = names.kept(function.demangle().unwrap_or_default().as_bytes());
        let (file, line) = match frame.location {
            Some(location) => {
                let file = location.file.map_or("", |file| source(file, names, here));
                (file, location.line.unwrap_or(0))
            }
            None => ("", 0),
        };
        // Names stand for their functions here: a copy that was inlined and one that was not are one
        // function. Two static functions of one name are not, in different files.
        let identity = hash(&(function, bare.module, file));
        found.push(Frame { function, file, line, identity, ..bare });
        if found.len() == MOST_INLINED {
            break; // debug information that goes round in circles
        }
    }
    found
}

const MOST_INLINED: usize = 256;

/// From the symbol table, where there is no debug information. In a stripped file the nearest symbol may be
/// another function's: it counts if the function begins there.
fn symbol(loader: &Loader, bare: Frame, start: Option<u64>, names: &Names) -> &'static str {
    let Some(symbol) = loader.find_symbol_info(bare.offset) else { return "" };
    if start.is_some_and(|start| start != symbol.address()) {
        return "";
    }
    names.kept(addr2line::demangle_auto(symbol.name().into(), None).as_bytes())
}

/// A path as one would write it: from the current directory if it is in there.
fn source(file: &str, names: &Names, here: &Path) -> &'static str {
    let mut path = PathBuf::new();
    for part in Path::new(file).components() {
        match part {
            Component::ParentDir if path.file_name().is_some() => _ = path.pop(),
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    let path = path.strip_prefix(here).unwrap_or(&path);
    names.kept(path.as_os_str().as_encoded_bytes())
}

fn hash(value: &impl std::hash::Hash) -> u64 {
    std::hash::BuildHasher::hash_one(&FxBuildHasher, value)
}
