//! filter=: only types, or creation sites, that fit a pattern.

use crate::code::{Id, PlaceId};
use crate::names::Name;
use crate::options;
use crate::world::World;

/// Whether objects of the type of this name, with this release function (0: not known yet), created there,
/// are wanted.
pub fn fits(world: &World, type_name: Name, release: PlaceId, created: Id) -> bool {
    let Some(pattern) = &world.options.filter else { return true };
    let code = &world.code;
    if code.names.get(type_name).is_some_and(|name| options::fits(pattern, name)) {
        return true;
    }
    let told = code.get(created).map_or(0, |stack| stack.release.get());
    let release = if release == 0 { told } else { release };
    if release != 0 && options::fits(pattern, code.function(release)) {
        return true;
    }
    code.described(created).iter().any(|frame| {
        let name = frame.file.rsplit('/').next().unwrap_or_default();
        [frame.function, frame.file, name].iter().any(|text| options::fits(pattern, text))
    })
}
