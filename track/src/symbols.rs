//! Names for addresses: function, file and line, with what the compiler inlined.

use std::path::{Component, Path, PathBuf};

use addr2line::Loader;
use rustc_hash::FxBuildHasher;
use std::collections::{HashMap, HashSet};

use crate::lock::Lock;
use crate::modules::Module;
use crate::{memory, modules};

/// A function in which a stack's walk passed, or which was inlined there.
#[derive(Clone, Copy)]
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

/// What was read of the modules' files, and the names.
struct Known {
    loaders: HashMap<usize, Option<Loader>, FxBuildHasher>,
    names: HashSet<&'static str, FxBuildHasher>,
    directory: Option<PathBuf>,
}

// SAFETY: a loader has no tie to a thread; it is used under the lock.
unsafe impl Send for Known {}

static KNOWN: Lock<Known> = Lock::new(Known {
    loaders: HashMap::with_hasher(FxBuildHasher),
    names: HashSet::with_hasher(FxBuildHasher),
    directory: None,
});

/// Around a fork.
pub fn before_fork() {
    KNOWN.take();
}

/// In the parent and in the child.
pub fn after_fork() {
    KNOWN.give_back();
}

/// The functions at a return address: what was inlined first. Called on [`crate::slow`]'s stack.
pub fn at(ip: u64) -> Vec<Frame> {
    let before = memory::used();
    let mut found = Vec::new();
    let call = ip - 1; // the instruction that is to blame lies before the address it returns to
    match modules::at(call) {
        Some(module) => KNOWN.lock().look(module, call, &mut found),
        None => found.push(Frame {
            function: "",
            file: "",
            line: 0,
            module: "",
            offset: call,
            into: 0,
            identity: call,
        }),
    }
    memory::forgive(memory::used().saturating_sub(before));
    found
}

/// A copy of `name` that is never freed.
pub fn kept(name: &str) -> &'static str {
    KNOWN.lock().name(name)
}

/// The name of the function that begins at `address`.
pub fn function(address: usize) -> &'static str {
    let mut name = "";
    crate::slow::run(|| {
        let frames = at(address as u64 + 1);
        if let Some(frame) = frames.last() {
            name = if frame.function.is_empty() {
                KNOWN.lock().name(&format!("{}+{:#x}", frame.module, frame.offset))
            } else {
                frame.function
            };
        }
    });
    name
}

impl Known {
    fn look(&mut self, module: &'static Module, call: u64, found: &mut Vec<Frame>) {
        let start = module.function(call);
        let probe = call.wrapping_sub(module.base);
        let bare = Frame {
            function: "",
            file: "",
            line: 0,
            module: module.name,
            offset: probe,
            into: start.map_or(0, |start| call - start),
            identity: start.unwrap_or(call),
        };
        let key = std::ptr::from_ref(module) as usize;
        let loader = self.loaders.entry(key).or_insert_with(|| Loader::new(&module.path).ok());
        let Some(loader) = loader.take() else { return found.push(bare) };
        self.inlined(&loader, bare, found);
        if found.is_empty() {
            found.push(Frame { function: self.symbol(&loader, bare, start, module), ..bare });
        }
        self.loaders.insert(key, Some(loader));
    }

    fn inlined(&mut self, loader: &Loader, bare: Frame, found: &mut Vec<Frame>) {
        let Ok(mut frames) = loader.find_frames(bare.offset) else { return };
        while let Ok(Some(frame)) = frames.next() {
            let Some(function) = frame.function else { continue };
            let name = function.demangle().unwrap_or_default();
            let function = self.name(&name);
            let (file, line) = match frame.location {
                Some(location) => {
                    (location.file.map_or("", |file| self.file(file)), location.line.unwrap_or(0))
                }
                None => ("", 0),
            };
            // Names stand for their functions here: a copy that was inlined and one that was not are
            // one function. Two static functions of one name are not, in different files.
            let identity = hash(&(function, bare.module, file));
            found.push(Frame { function, file, line, identity, ..bare });
        }
    }

    /// From the symbol table, where there is no debug information. In a stripped file the nearest
    /// symbol may be another function's: it counts if the function begins there.
    fn symbol(
        &mut self,
        loader: &Loader,
        bare: Frame,
        start: Option<u64>,
        module: &Module,
    ) -> &'static str {
        let Some(symbol) = loader.find_symbol_info(bare.offset) else { return "" };
        if start.is_some_and(|start| start.wrapping_sub(module.base) != symbol.address()) {
            return "";
        }
        let name = addr2line::demangle_auto(symbol.name().into(), None);
        self.name(&name)
    }

    /// One copy of each name, for good.
    fn name(&mut self, name: &str) -> &'static str {
        if let Some(known) = self.names.get(name) {
            return known;
        }
        let name: &'static str = name.to_string().leak();
        self.names.insert(name);
        name
    }

    /// A path as one would write it: from the current directory if it is in there.
    fn file(&mut self, file: &str) -> &'static str {
        let here =
            self.directory.get_or_insert_with(|| std::env::current_dir().unwrap_or_default());
        let mut path = PathBuf::new();
        for part in Path::new(file).components() {
            match part {
                Component::ParentDir if path.file_name().is_some() => _ = path.pop(),
                Component::CurDir => {}
                part => path.push(part),
            }
        }
        let path = path.strip_prefix(here).unwrap_or(&path).to_string_lossy().into_owned();
        self.name(&path)
    }
}

fn hash(value: &impl std::hash::Hash) -> u64 {
    std::hash::BuildHasher::hash_one(&FxBuildHasher, value)
}
