//! Names for addresses: function, file and line, with what the compiler inlined.

use std::path::{Component, Path, PathBuf};

use rustc_hash::FxBuildHasher;

use crate::debug::{Debug, Places};
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
    /// Whether the function is not on the stack any more: its last call was a jump.
    pub is_tail: bool,
    /// The same for each place in one function, and for no other function.
    pub identity: u64,
}

/// The source file of a function that KREF_DEFINE() or KREF_POOL_DEFINE() has made. The debug information has the line
/// of the macro in the program, which tells less than the line of the function's caller.
pub const KREF_DEFINE: &str = "kref/typed.h";

/// The functions at an address of a module: what was inlined first.
pub fn at(
    module: Option<&Module>,
    offset: u64,
    names: &Names,
    here: &Path,
    places: &Places,
) -> Vec<Frame> {
    let Some(module) = module else {
        let (function, file, module) = ("", "", "");
        let (line, into, is_tail, identity) = (0, 0, false, offset);
        return vec![Frame { function, file, line, module, offset, into, is_tail, identity }];
    };
    let start = module.function(offset);
    let bare = Frame {
        function: "",
        file: "",
        line: 0,
        module: module.name,
        offset,
        into: start.map_or(0, |start| offset - start),
        is_tail: false,
        identity: hash(&(module.name, start.unwrap_or(offset))),
    };
    let Some(debug) = module.debug(places) else { return vec![bare] };
    let mut found = inlined(debug, bare, names, here);
    if found.is_empty() {
        found.push(Frame { function: symbol(debug, bare, start, names), ..bare });
    }
    found
}

fn inlined(debug: &Debug, bare: Frame, names: &Names, here: &Path) -> Vec<Frame> {
    let functions = debug.functions(bare.offset).into_iter();
    functions
        .map(|found| {
            let function = names.kept(found.name.as_bytes());
            let (file, line) = found
                .line
                .as_ref()
                .map_or(("", 0), |(file, line)| (source(file, names, here), *line));
            let (file, line) =
                if debug.is_of_macro(&found.name) { (KREF_DEFINE, 0) } else { (file, line) };
            // Names stand for their functions here: a copy that was inlined and one that was not are one
            // function. Two static functions of one name are not, in different files.
            let identity = hash(&(&*found.full_name, bare.module, file));
            Frame { function, file, line, identity, ..bare }
        })
        .collect()
}

/// From the symbol table, where there is no debug information. In a stripped file the nearest symbol may be
/// another function's: it counts if the function begins there.
fn symbol(debug: &Debug, bare: Frame, start: Option<u64>, names: &Names) -> &'static str {
    match debug.symbol(bare.offset) {
        Some(symbol) if start.is_none_or(|start| start == symbol.address) => {
            names.kept(symbol.name.as_bytes())
        }
        _ => "",
    }
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
