//! Objects whose references are all those of other held objects, as far as pointers tell. Their owners are the cause.

use super::graph::{Class, Graph, Sources, Verdict};

/// The most rounds of marks, each of which can lead to others. A chain of owners can have any length.
const ROUNDS: usize = 4;

impl Graph {
    /// Marks each object whose number of references equals the number of held objects of other types that lead to it, even
    /// if a root leads to it: a global variable may point to an object without holding a reference. If A leads to B and B
    /// is marked, a pointer from B back to A is one to B's owner, and does not count as a reference.
    pub fn account(&self, sources: &Sources, verdicts: &mut [Option<Verdict>]) {
        for _ in 0..ROUNDS {
            let is_marked = |block: u32| verdicts[block as usize].is_some_and(|of| of.is_accounted);
            let is_accounted = |(&to, from): (&u32, &Vec<u32>)| {
                let of = self.blocks[to as usize].filter(|of| !of.is_shared && !is_marked(to))?;
                let counts = |&&from: &&u32| {
                    let owner = self.blocks[from as usize];
                    owner.is_some_and(|owner| owner.is_reported && owner.kind != of.kind)
                        && !(is_marked(from) && leads(sources, to, from))
                };
                (from.iter().filter(counts).count() == of.references as usize).then_some(to)
            };
            let found: Vec<_> = sources.iter().filter_map(is_accounted).collect();
            if found.is_empty() {
                return;
            }
            for block in found {
                if let Some(verdict) = verdicts[block as usize].as_mut() {
                    verdict.is_accounted = true;
                }
            }
        }
    }

    /// Finds the objects to which only younger objects lead, all of them objects that they own: these pointers lead to an
    /// owner and are no references, so nobody owns it. If a root leads to one of the younger objects, it leads through it
    /// to the owner, whose class is that root's.
    pub fn reach_owners(&self, sources: &Sources, verdicts: &mut [Option<Verdict>]) {
        let is_owned_by = |owned: u32, owner: u32| {
            let is_accounted = verdicts[owned as usize].is_some_and(|of| of.is_accounted);
            let is_back = self.way(owned, owner).is_some_and(|way| way.is_back);
            is_accounted && is_back && leads(sources, owner, owned)
        };
        let class = |(&to, from): (&u32, &Vec<u32>)| {
            let of = verdicts[to as usize].filter(|of| of.class == Class::Owned)?;
            if of.is_accounted || !from.iter().all(|&from| is_owned_by(from, to)) {
                return None;
            }
            let classes = from.iter().filter_map(|&from| Some(verdicts[from as usize]?.class));
            Some((to, classes.filter(|class| Class::ROOTS.contains(class)).min()?))
        };
        let found: Vec<_> = sources.iter().filter_map(class).collect();
        for (block, class) in found {
            if let Some(verdict) = verdicts[block as usize].as_mut() {
                verdict.class = class;
            }
        }
    }
}

/// Whether one block leads to another.
fn leads(sources: &Sources, from: u32, to: u32) -> bool {
    sources.get(&to).is_some_and(|all| all.binary_search(&from).is_ok())
}
