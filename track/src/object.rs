//! One object: who holds it, as far as its gets and puts have told.

use std::ffi::{CStr, c_char};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::clock::Time;
use crate::matching::{self, Candidate, Choice};
use crate::memory;
use crate::stacks::Id;
use crate::symbols;
use crate::thread::Own;

/// More ways to hold one object than this are counted together.
const MOST_GROUPS: usize = 256;
/// More call sites of one object than this are not balanced.
const MOST_SITES: usize = 128;

/// Checkpoints that were made: what is newer than the last is what a report then shows.
pub static MARK: AtomicU32 = AtomicU32::new(0);

/// Who did something, where and when.
#[derive(Clone, Copy)]
pub struct Act {
    /// The stack.
    pub stack: Id,
    /// The thread, by our number.
    pub thread: u32,
    /// The time.
    pub time: Time,
}

/// A holder's name: the program's C string, which outlives the reference, or null.
#[derive(Clone, Copy)]
pub struct Holder(pub usize);

impl Holder {
    /// The name.
    pub fn name(self) -> Option<&'static str> {
        if self.0 == 0 {
            return None;
        }
        // SAFETY: kref_get_as() asks for a string that outlives the reference, and for no longer is it
        // read.
        let name = unsafe { CStr::from_ptr(self.0 as *const c_char) };
        Some(name.to_str().unwrap_or("(no UTF-8)"))
    }

    /// Whether it is the same name, not only the same pointer.
    pub fn is(self, other: Self) -> bool {
        self.0 == other.0 || (self.0 != 0 && other.0 != 0 && self.name() == other.name())
    }
}

/// The name of an object's type: the program's C string, or null.
#[derive(Clone, Copy)]
pub struct TypeName(pub usize);

impl TypeName {
    /// A copy of the name, which stays valid when the program's string does not: the string may lie in a
    /// plugin that is unloaded while its objects are alive.
    pub fn kept(self) -> Option<&'static str> {
        if self.0 == 0 || !memory::has_room() {
            return None;
        }
        // SAFETY: kref_init_as() asks for a string that is valid as long as the object.
        let name = unsafe { CStr::from_ptr(self.0 as *const c_char) };
        Some(symbols::kept(name.to_str().unwrap_or("(no UTF-8)")))
    }
}

/// References that were taken alike and are held.
#[derive(Clone, Copy)]
pub struct Group {
    /// Who holds them.
    pub holder: Holder,
    /// Where, by whom and when the oldest was taken.
    pub by: Act,
    /// How many.
    pub count: u32,
    /// The checkpoint after which they were taken.
    pub mark: u32,
    /// Whether it is kref_init()'s reference.
    pub is_first: bool,
}

/// Gets and puts of an object at one stack.
#[derive(Clone, Copy)]
pub struct Site {
    /// The stack.
    pub stack: Id,
    /// How many.
    pub gets: u32,
    /// How many.
    pub puts: u32,
}

/// An object. Most have kref_init()'s reference and few others: that one needs no allocation.
pub struct Object {
    /// In the order of creation, from 1.
    pub serial: u64,
    /// kref_init().
    pub created: Act,
    /// The type's name, if kref_init_as() has given one.
    pub type_name: Option<&'static str>,
    /// The last put, once it came.
    pub released: Option<Act>,
    /// The release function, once a put has told it; else 0.
    pub release: usize,
    first: Option<u32>,
    groups: Vec<Group>,
    /// The balance by stack.
    pub sites: Vec<Site>,
    /// Puts of which the rules could not tell which reference they gave back.
    pub unsure: u32,
    /// Gets for which there was no memory.
    pub unrecorded: u32,
    /// Misuse was reported: what follows from it is not news.
    pub reported: bool,
    /// It went out of the tracked zone: nobody tells us of it any more.
    pub lost: bool,
}

/// What a put was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Undone {
    /// A reference that is known.
    Known,
    /// One that is not: all there is was given back already.
    Nothing,
    /// The holder that it names holds none.
    WrongHolder,
}

impl Object {
    /// After kref_init().
    pub fn new(serial: u64, created: Act, type_name: Option<&'static str>) -> Self {
        Self {
            serial,
            created,
            type_name,
            released: None,
            release: 0,
            first: Some(MARK.load(Relaxed)),
            groups: Vec::new(),
            sites: Vec::new(),
            unsure: 0,
            unrecorded: 0,
            reported: false,
            lost: false,
        }
    }

    /// What is held, in the order in which it was taken.
    pub fn held(&self) -> impl Iterator<Item = Group> + Clone + '_ {
        let first = self.first.map(|mark| Group {
            holder: Holder(0),
            by: self.created,
            count: 1,
            mark,
            is_first: true,
        });
        first.into_iter().chain(self.groups.iter().copied())
    }

    /// A get.
    pub fn get(&mut self, by: Act, holder: Holder) {
        if let Some(site) = self.site(by.stack) {
            site.gets += 1;
        }
        let mark = MARK.load(Relaxed);
        let same = |group: &Group| {
            group.by.stack == by.stack
                && group.by.thread == by.thread
                && group.mark == mark
                && group.holder.is(holder)
        };
        if let Some(place) = self.groups.iter().rposition(same) {
            self.groups[place].count += 1;
            self.groups[place..].rotate_left(1); // the latest is the last
        } else if self.groups.len() < MOST_GROUPS
            && memory::has_room()
            && self.groups.try_reserve(1).is_ok()
        {
            self.groups.push(Group { holder, by, count: 1, mark, is_first: false });
        } else {
            self.unrecorded += 1;
        }
    }

    /// A put.
    pub fn put(&mut self, by: Act, holder: Holder, own: &mut Own) -> Undone {
        if let Some(site) = self.site(by.stack) {
            site.puts += 1;
        }
        if holder.0 != 0 {
            let place = self.groups.iter().rposition(|group| group.holder.is(holder));
            if let Some(place) = place {
                self.drop_one(place);
                return Undone::Known;
            }
        }
        let undone = self.put_unnamed(by, own);
        if holder.0 != 0 && self.unrecorded == 0 { Undone::WrongHolder } else { undone }
    }

    /// A put that names nobody gives back what nobody named is held by, if there is such.
    fn put_unnamed(&mut self, by: Act, own: &mut Own) -> Undone {
        let unnamed = self.held().any(|group| group.holder.0 == 0);
        let fits = |group: &Group| !unnamed || group.holder.0 == 0;
        let candidates = self.held().filter(fits).map(|group| Candidate {
            stack: group.by.stack,
            thread: group.by.thread,
            is_first: group.is_first,
        });
        let choice = matching::choose(by.stack, by.thread, candidates, own);
        let Some(Choice { index, unsure }) = choice else {
            self.unrecorded = self.unrecorded.saturating_sub(1);
            return Undone::Nothing;
        };
        let places = self.held().enumerate().filter(|(_, group)| fits(group));
        let place = places.map(|(place, _)| place).nth(index);
        self.unsure += u32::from(unsure || !unnamed);
        match (place, self.first) {
            (Some(0), Some(_)) => self.first = None,
            (Some(place), Some(_)) => self.drop_one(place - 1),
            (Some(place), None) => self.drop_one(place),
            (None, _) => {}
        }
        Undone::Known
    }

    fn drop_one(&mut self, place: usize) {
        let group = &mut self.groups[place];
        group.count -= 1;
        if group.count == 0 {
            self.groups.remove(place);
        }
    }

    /// The last reference is gone: what is left to know is small.
    pub fn end(&mut self, by: Act) {
        self.released = Some(by);
        self.first = None;
        self.groups = Vec::new();
        self.sites = Vec::new();
    }

    fn site(&mut self, stack: Id) -> Option<&mut Site> {
        let place = self.sites.iter().position(|site| site.stack == stack);
        let place = match place {
            Some(place) => place,
            None if self.sites.len() < MOST_SITES && memory::has_room() => {
                self.sites.try_reserve(1).ok()?;
                self.sites.push(Site { stack, gets: 0, puts: 0 });
                self.sites.len() - 1
            }
            None => return None,
        };
        self.sites.get_mut(place)
    }
}
