//! filter=: only types, or creation sites, that fit a pattern.

use std::sync::atomic::Ordering::Relaxed;

use crate::options::{self, options};
use crate::stacks::{self, Id};
use crate::symbols;

/// Whether objects of the type of this name, with this release function (0: not known yet), created there,
/// are wanted.
pub fn fits(type_name: Option<&str>, release: usize, created: Id) -> bool {
    let Some(pattern) = &options().filter else { return true };
    if type_name.is_some_and(|name| options::fits(pattern, name)) {
        return true;
    }
    let stack = stacks::get(created);
    let told = stack.map_or(0, |stack| stack.release.load(Relaxed));
    let release = if release == 0 { told } else { release };
    if release != 0 && options::fits(pattern, symbols::function(release)) {
        return true;
    }
    stack.into_iter().flat_map(|stack| &stack.frames).any(|frame| {
        let name = frame.file.rsplit('/').next().unwrap_or_default();
        [frame.function, frame.file, name].iter().any(|text| options::fits(pattern, text))
    })
}
