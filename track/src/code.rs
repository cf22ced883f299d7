//! The code that was met: files, places in them, and stacks. Each is kept once, for all processes of a session,
//! and known by a number.
//!
//! A stack is the places of its return addresses: a file and an offset. So it is one stack in a program and its
//! forked child, and another if the same addresses belong to another file later.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::SystemTime;

use rustc_hash::FxBuildHasher;

use crate::debug::Places;
use crate::modules::Module;
use crate::names::Names;
use crate::stacks::{Described, Leading};
use crate::symbols::{self, Frame};

/// A stack's number. 0 is the stack that is not known.
pub type Id = u32;
/// A place's number. 0 is no place.
pub type PlaceId = u32;

/// A place in a file.
pub struct Place {
    /// The file; `None` for code that is in none.
    pub module: Option<&'static Module>,
    /// The address in it.
    pub offset: u64,
    frames: OnceCell<Box<[Frame]>>,
}

/// A stack that was met.
pub struct Stack {
    /// The calls, the innermost first.
    pub places: Box<[PlaceId]>,
    pub(crate) leading: OnceCell<Leading>,
    pub(crate) described: OnceCell<Described>,
    /// Whether objects that were created here are found by kref_lookup_mutex().
    pub is_looked_up: Cell<bool>,
    /// The release function of objects that were created here, once a put has told.
    pub release: Cell<PlaceId>,
}

/// The functions at an offset in a file, which has a number.
pub type Named = (u32, u64, &'static [Frame]);

/// All of it.
pub struct Code {
    /// Names of functions and files, and those that programs gave.
    pub names: Names,
    here: PathBuf,
    /// Where debug information is.
    pub debug: Places,
    modules: RefCell<Vec<&'static Module>>,
    places: RefCell<Vec<&'static Place>>,
    /// Of a trace: the functions at places of files that are perhaps not here, by the file's number and the offset.
    foretold: RefCell<HashMap<(u32, u64), Vec<Frame>, FxBuildHasher>>,
    place_numbers: RefCell<HashMap<(usize, u64), PlaceId, FxBuildHasher>>,
    stacks: RefCell<Vec<&'static Stack>>,
    stack_numbers: RefCell<HashMap<&'static [PlaceId], Id, FxBuildHasher>>,
    bytes: Cell<usize>,
}

impl Code {
    /// None yet. Files in the directory `here` are named from there.
    pub fn new(here: PathBuf, debug: Places) -> Self {
        Self {
            names: Names::default(),
            here,
            debug,
            modules: RefCell::default(),
            places: RefCell::default(),
            foretold: RefCell::default(),
            place_numbers: RefCell::default(),
            stacks: RefCell::default(),
            stack_numbers: RefCell::default(),
            bytes: Cell::new(0),
        }
    }

    /// A file, or the same one that is known.
    pub fn module(&self, module: Module) -> &'static Module {
        let mut modules = self.modules.borrow_mut();
        if let Some(known) = modules.iter().find(|known| known.is(&module)) {
            return known;
        }
        let module: &'static Module = Box::leak(Box::new(module));
        modules.push(module);
        if module.number.get() == 0 {
            module.number.set(modules.len() as u32);
        }
        module
    }

    /// The number of a place.
    pub fn place(&self, module: Option<&'static Module>, offset: u64) -> PlaceId {
        let key = (module.map_or(0, |module| std::ptr::from_ref(module) as usize), offset);
        if let Some(&number) = self.place_numbers.borrow().get(&key) {
            return number;
        }
        let mut places = self.places.borrow_mut();
        places.push(Box::leak(Box::new(Place { module, offset, frames: OnceCell::new() })));
        let number = places.len() as PlaceId;
        self.place_numbers.borrow_mut().insert(key, number);
        self.bytes.set(self.bytes.get() + 100);
        number
    }

    /// The functions at a place: what was inlined first.
    pub fn frames(&self, place: PlaceId) -> &'static [Frame] {
        let place =
            place.checked_sub(1).and_then(|at| self.places.borrow().get(at as usize).copied());
        let Some(place) = place else { return &[] };
        place.frames.get_or_init(|| {
            let foretold = place.module.and_then(|module| self.foretold_at(module, place.offset));
            let (names, here, debug) = (&self.names, &self.here, &self.debug);
            let look = || symbols::at(place.module, place.offset, names, here, debug);
            foretold.unwrap_or_else(look).into()
        })
    }

    /// The places of the jumps by which a call has led to a place in another function than the one that is called; the
    /// innermost first.
    pub fn tail_calls(&self, inner: PlaceId, outer: PlaceId) -> Vec<PlaceId> {
        let place = |at: PlaceId| {
            let place = *self.places.borrow().get((at as usize).wrapping_sub(1))?;
            Some((place.module?, place.offset))
        };
        let found = || {
            let ((inner, at), (outer, call)) = (place(inner)?, place(outer)?);
            let function = inner.debug(&self.debug)?.function_at(at)?;
            let jumps = outer.debug(&self.debug)?.tail_calls(call.wrapping_add(1), &function);
            Some(jumps.into_iter().rev().map(|jump| self.place(Some(outer), jump)).collect())
        };
        found().unwrap_or_default()
    }

    /// What a trace says of a place in a file that is not here.
    fn foretold_at(&self, module: &Module, offset: u64) -> Option<Vec<Frame>> {
        let foretold = self.foretold.borrow();
        let frames = foretold.get(&(module.number.get(), offset)).filter(|_| !module.has_file())?;
        Some(frames.iter().map(|frame| Frame { module: module.name, ..*frame }).collect())
    }

    /// Keeps what a trace says of a place: the function at an index, the innermost being the first.
    pub fn foretell(&self, module: u32, index: usize, frame: Frame) {
        let mut foretold = self.foretold.borrow_mut();
        let frames = foretold.entry((module, frame.offset)).or_default();
        if index == frames.len() {
            frames.push(frame);
        }
    }

    /// The places in files behind the first `known` ones: the file's number, the offset, and the functions there. And how
    /// many places there are.
    pub fn places_since(&self, known: usize) -> (Vec<Named>, usize) {
        let count = self.places.borrow().len();
        let new = (known..count).filter_map(|at| {
            let place = self.places.borrow()[at];
            Some((place.module?.number.get(), place.offset, self.frames(at as PlaceId + 1)))
        });
        (new.collect(), count)
    }

    /// When the file of this name was written: the oldest, if there are several.
    pub fn written(&self, module: &str) -> Option<SystemTime> {
        let modules = self.modules.borrow();
        let alike = modules.iter().filter(|known| known.name == module);
        alike.filter_map(|known| known.written()).min()
    }

    /// Whether a place is in libkref.so.
    pub fn is_in_libkref(&self, place: PlaceId) -> bool {
        self.file(place).is_some_and(Module::is_libkref)
    }

    /// The file that a place is in.
    pub fn file(&self, place: PlaceId) -> Option<&'static Module> {
        self.places.borrow().get((place as usize).wrapping_sub(1))?.module
    }

    /// The name of the function that begins at a place.
    pub fn function(&self, place: PlaceId) -> &'static str {
        match self.frames(place).last() {
            Some(frame) if frame.function.is_empty() && frame.module.is_empty() => {
                self.names.kept(format!("{:#x}", frame.offset).as_bytes())
            }
            Some(frame) if frame.function.is_empty() => {
                self.names.kept(format!("{}+{:#x}", frame.module, frame.offset).as_bytes())
            }
            Some(frame) => frame.function,
            None => "",
        }
    }

    /// The number of the stack of these places.
    pub fn stack(&self, places: &[PlaceId]) -> Id {
        if let Some(&number) = self.stack_numbers.borrow().get(places) {
            return number;
        }
        let stack: &'static Stack = Box::leak(Box::new(Stack {
            places: places.into(),
            leading: OnceCell::new(),
            described: OnceCell::new(),
            is_looked_up: Cell::new(false),
            release: Cell::new(0),
        }));
        let mut stacks = self.stacks.borrow_mut();
        stacks.push(stack);
        let number = stacks.len() as Id;
        self.stack_numbers.borrow_mut().insert(&stack.places, number);
        self.bytes.set(self.bytes.get() + size_of::<Stack>() + 4 * places.len() + 40);
        number
    }

    /// The stack by its number.
    pub fn get(&self, id: Id) -> Option<&'static Stack> {
        self.stacks.borrow().get(id.checked_sub(1)? as usize).copied()
    }

    /// The functions of a stack, the innermost first, without libkref's.
    pub fn described(&self, id: Id) -> &'static [Frame] {
        self.get(id).map_or(&[], |stack| &stack.described(self).frames)
    }

    /// The number of stacks.
    pub fn count(&self) -> usize {
        self.stacks.borrow().len()
    }

    /// The bytes that all of it takes, about, without the files' debug information.
    pub fn bytes(&self) -> usize {
        self.bytes.get() + self.names.bytes()
    }
}
