//! The search through the table for what is held.

use std::collections::{BTreeMap, HashMap};

use rustc_hash::FxBuildHasher;

use super::of_type::Gathered;
use super::{Key, Leaks, Reported, Type, Unexited, key};
use crate::code::Id;
use crate::evidence::Alive;
use crate::filter;
use crate::object::{LOST, PERCPU, RELEASED};
use crate::origins::Origins;
use crate::process::Process;
use crate::reach::Reach;
use crate::reach::owned;
use crate::sources::Sources;
use crate::world::World;

/// Looks through the table for what was taken since the last checkpoint. For `--live`, each second: the rules have
/// matched each put to a get, and nothing is explained anew.
pub fn gather(world: &World, process: &Process) -> Leaks {
    gather_by(world, process, &Reach::default(), false)
}

/// The same, by what leads to the objects and by what all objects of a type tell.
pub fn gather_with(world: &World, process: &Process, reach: &Reach) -> Leaks {
    gather_by(world, process, reach, true)
}

fn gather_by(world: &World, process: &Process, reach: &Reach, by_evidence: bool) -> Leaks {
    process.shared.look();
    let mut types: HashMap<Key, Gathered<'_>, FxBuildHasher> = HashMap::default();
    let mut owned = owned::Count::default();
    let mut leaks = Leaks { now: world.now.get(), search: reach.search, ..Leaks::default() };
    let mut reported = Reported::new(world, process);
    let mut origins = Origins::new(world);
    let (table, mark) = (&process.table, process.mark);
    for object in table.live() {
        if object.is(LOST) {
            // A child does not repeat what its parent says.
            leaks.lost += u64::from(!table.is_inherited(object) && reported.is_wanted(object));
        } else if process.shared.has(object.address) {
            leaks.shared += 1;
        } else if reported.has(object) {
            let (key, verdict) = (origins.of(world, key(world, object)), reach.of(object));
            if verdict.is_some_and(|verdict| verdict.is_covered) {
                let held = table.held(object).filter(|held| held.mark == mark);
                owned.add(key, held.map(|held| u64::from(held.count)).sum());
                continue;
            }
            let of = types.entry(key).or_default();
            of.add(world, process, object, by_evidence);
            if let Some(verdict) = verdict {
                of.classify(verdict);
            }
        }
    }
    let alive =
        if by_evidence { Alive::new(world, process, &mut origins) } else { Alive::default() };
    let sources = Sources::new(&world.code);
    for (key, gathered) in types {
        leaks.types.push(gathered.finish(world, process, key, &alive, &sources));
    }
    leaks.owned = owned.by_type(world);
    leaks.unexited = unexited(world, process);
    leaks.types.sort_by(|a, b| b.references.cmp(&a.references).then(a.name.cmp(&b.name)));
    leaks.types.sort_by_key(Type::rank);
    let others = leaks.types.iter().filter(|of| !of.is_owned());
    let follow: Vec<bool> = others.map(Type::is_consequence).collect();
    if follow.len() > 1 {
        let causes = follow.iter().filter(|&&follows| !follows).count();
        leaks.types.iter_mut().for_each(|of| of.doubt(causes > 1));
    }
    let owned = leaks.owned.iter().map(|of| (of.objects, of.references));
    let all = leaks.types.iter().map(|of| (of.objects, of.references)).chain(owned);
    (leaks.objects, leaks.references) = all.fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
    leaks
}

fn unexited(world: &World, process: &Process) -> Vec<Unexited> {
    let mut stacks: BTreeMap<Id, Unexited> = BTreeMap::new();
    let known = process.table.known().filter(|object| object.is(PERCPU) && object.is(RELEASED));
    for object in known.filter(|object| object.mark() == process.mark) {
        let stack = object.created().stack;
        let is_own = !process.shared.has(object.address);
        if is_own && filter::fits(world, object.type_name(), object.release, stack) {
            let example = (object.serial(), object.address);
            let all = stacks.entry(stack).or_insert(Unexited { stack, count: 0, example });
            all.count += 1;
        }
    }
    stacks.into_values().collect()
}
