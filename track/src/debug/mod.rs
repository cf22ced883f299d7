//! The debug information of a file: functions, also those that were inlined, and lines.
//!
//! | file | what it has |
//! |---|---|
//! | mod.rs | addresses become functions and lines |
//! | load.rs | the sections of the file, of a separate debug file, and of what these refer to |
//! | separate.rs | where separate debug files are, and which one belongs to a file |
//! | calls.rs | which calls are jumps, so that their functions are not on the stack |
//! | typed.rs | which functions KREF_DEFINE() has made |
//! | names.rs | names of functions as C++ and Rust programmers write them |

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use addr2line::{Context, LookupContinuation, LookupResult, SplitDwarfLoad};
use gimli::UnitRef;
use object::{SymbolMap, SymbolMapName};
use rustc_hash::FxBuildHasher;

mod calls;
mod load;
mod names;
mod separate;
mod typed;

use calls::Calls;
use load::{Held, Slice};
pub use separate::Places;

/// A function at an address, or one that was inlined there.
pub struct Function {
    /// Its name, without its parameters.
    pub name: String,
    /// Its name, with its parameters where they are known.
    pub full_name: String,
    /// The source file and the line.
    pub line: Option<(String, u32)>,
}

/// The symbol before an address.
pub struct Symbol {
    /// The function's name, without its parameters.
    pub name: String,
    /// Where it begins.
    pub address: u64,
}

/// The debug information and the symbols of a file.
///
/// The fields before `held` point into it. `held` is dropped last, and none of its bytes leaves this folder.
pub struct Debug {
    context: Option<Context<Slice>>,
    symbols: SymbolMap<SymbolMapName<'static>>,
    /// The calls of units, by the unit.
    calls: RefCell<HashMap<(usize, usize), Rc<Calls>, FxBuildHasher>>,
    /// The first arguments of KREF_DEFINE(), in the order of the alphabet.
    defined: OnceCell<Vec<String>>,
    held: Held,
}

/// What is known of a file whose debug information is needed.
pub struct Subject<'a> {
    /// Its path.
    pub path: &'a Path,
    /// Its build-id.
    pub build_id: Option<&'a [u8]>,
    /// The file, if it is the one that was mapped.
    pub file: Option<&'a File>,
}

impl Debug {
    /// Reads the debug information of a file, or of the separate file that belongs to it.
    pub fn new(subject: &Subject, places: &Places) -> Option<Self> {
        let held = Held::default();
        let own = subject.file.and_then(|file| held.object(file));
        let has_dwarf = own.as_ref().is_some_and(load::has_dwarf);
        let separate = if has_dwarf { None } else { separate::find(subject, own.as_ref(), places) };
        let separate = separate.and_then(|(file, path)| Some((held.object(&file)?, path)));
        let (object, path) = match &separate {
            Some((object, path)) => (object, path.as_path()),
            None => (own.as_ref()?, subject.path),
        };
        let mut symbols = load::symbols(object);
        if symbols.symbols().is_empty()
            && let Some(own) = &own
        {
            symbols = load::symbols(own);
        }
        let context = held.dwarf(object, |link| separate::supplement(link, path, places));
        let context = context.and_then(|dwarf| Context::from_dwarf(dwarf).ok());
        let (calls, defined) = (RefCell::default(), OnceCell::new());
        Some(Self { context, symbols, calls, defined, held })
    }

    /// The functions at an address: what was inlined first.
    pub fn functions(&self, address: u64) -> Vec<Function> {
        let mut found = Vec::new();
        let Some(context) = &self.context else { return found };
        let Ok(mut frames) = self.finish(context.find_frames(address)) else { return found };
        let unit = self.finish(context.find_dwarf_and_unit(address));
        while let Ok(Some(frame)) = frames.next() {
            let Some(name) = frame.function else { continue };
            let place = unit.zip(frame.dw_die_offset);
            let (name, full_name) = names::of_function(&name, place);
            let line = frame.location.map(|location| {
                (location.file.unwrap_or_default().to_string(), location.line.unwrap_or(0))
            });
            found.push(Function { name, full_name, line });
            if found.len() == MOST_INLINED {
                break; // debug information that goes round in circles
            }
        }
        if let Some(outer) = found.last_mut() {
            self.complete(outer, address);
        }
        found
    }

    /// With -g1 the debug information has names without their classes. The symbol of a function that was not inlined has
    /// the class.
    fn complete(&self, function: &mut Function, address: u64) {
        let symbol = self.symbol(address).map(|symbol| symbol.name).unwrap_or_default();
        if symbol.strip_suffix(&function.name).is_some_and(|class| class.ends_with("::")) {
            function.name.clone_from(&symbol);
            function.full_name = symbol;
        }
    }

    /// The symbol at an address or before it.
    pub fn symbol(&self, address: u64) -> Option<Symbol> {
        let found = self.symbols.containing(address)?;
        Some(Symbol { name: names::of_symbol(found.name()), address: found.address() })
    }

    /// Whether KREF_DEFINE() or KREF_POOL_DEFINE() has made the function of this name.
    pub fn is_of_macro(&self, name: &str) -> bool {
        typed::prefix(name).is_some_and(|prefix| {
            let names = || self.symbols.symbols().iter().map(|symbol| symbol.name());
            let defined = self.defined.get_or_init(|| typed::prefixes(names()));
            defined.binary_search_by(|known| known.as_str().cmp(prefix)).is_ok()
        })
    }

    /// Looks something up to its end. On the way a part may be in a file of its own (-gsplit-dwarf).
    fn finish<L: LookupContinuation<Buf = Slice>>(&self, mut result: LookupResult<L>) -> L::Output {
        loop {
            match result {
                LookupResult::Output(output) => return output,
                LookupResult::Load { load, continuation } => {
                    result = continuation.resume(self.split(&load));
                }
            }
        }
    }

    fn split(&self, load: &SplitDwarfLoad<Slice>) -> Option<Arc<gimli::Dwarf<Slice>>> {
        let part = |part: &Option<Slice>| part.as_ref().map(|part| load::path(part.slice()));
        let mut path = part(&load.comp_dir).unwrap_or_default();
        path.push(part(&load.path)?);
        self.held.split(&crate::files::open(&path)?, load.dwo_id, &load.parent).map(Arc::new)
    }
}

/// The most functions that are inlined into one place. Those outside of them are left out.
const MOST_INLINED: usize = 256;

/// A function's place in debug information.
type At<'a> = (UnitRef<'a, Slice>, gimli::UnitOffset);
