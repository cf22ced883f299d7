//! Which release functions end the objects of each constructor: a put with another type's release function.
//!
//! Objects of one type may have two release functions, as kref_put_mutex() often needs. And one function may begin the
//! objects of many types. So what is told is a release function that so far has ended the objects of another
//! constructor, and now ends one of a constructor whose objects had a release function of their own.

use std::cell::RefCell;
use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use crate::code::{Code, Id, PlaceId};

type Map<K, V> = HashMap<K, V, FxBuildHasher>;

/// The line at which an object begins, and the function that calls this line's.
type Constructor = (&'static str, u32, &'static str);

/// More constructors than this are not watched.
const MOST: usize = 1 << 14;

/// The release functions of constructors, and the first constructor of release functions.
#[derive(Default)]
pub struct Endings {
    releases: RefCell<Map<Constructor, PlaceId>>,
    constructors: RefCell<Map<PlaceId, Constructor>>,
}

impl Endings {
    /// An object ends. Returns whether the release function is another type's.
    pub fn is_foreign(&self, created: Id, release: PlaceId, code: &Code) -> bool {
        let Some(constructor) = constructor(created, code).filter(|_| release != 0) else {
            return false;
        };
        let (mut releases, mut constructors) =
            (self.releases.borrow_mut(), self.constructors.borrow_mut());
        if releases.len() >= MOST || constructors.len() >= MOST {
            return false;
        }
        let usual = *releases.entry(constructor).or_insert(release);
        let first = *constructors.entry(release).or_insert(constructor);
        usual != release && first != constructor
    }
}

fn constructor(created: Id, code: &Code) -> Option<Constructor> {
    let frames = code.described(created);
    let first = frames.first().filter(|frame| frame.line != 0)?;
    Some((first.file, first.line, frames.get(1).map_or("", |frame| frame.function)))
}
