//! Which block leads to which, and what follows for the objects in them.
//!
//! Blocks that no object is in are passed through: an array that an object has belongs to the object.

use std::collections::{HashMap, HashSet, VecDeque};

use rustc_hash::FxBuildHasher;

use crate::reach::cycles::{self, Edges};

/// How an object is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// No pointer leads to it, unless from objects that are lost with it, and which it owns.
    Lost,
    /// As lost, and it is one of several objects that point to each other.
    Cycle,
    /// A stack or the registers of a thread that still runs lead to it.
    Thread,
    /// A variable leads to it.
    Global,
    /// Memory leads to it that was mapped, and is not malloc()'s.
    Mapped,
    /// Another object leads to it.
    Owned,
}

impl Class {
    /// Those of objects to which something leads that is no object. The first one counts.
    pub const ROOTS: [Self; 3] = [Self::Global, Self::Thread, Self::Mapped];

    /// All of them, the worst first.
    pub const ALL: [Self; 6] =
        [Self::Lost, Self::Cycle, Self::Thread, Self::Global, Self::Mapped, Self::Owned];

    /// For machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Cycle => "cycle",
            Self::Thread => "thread",
            Self::Global => "global",
            Self::Mapped => "mapped",
            Self::Owned => "owned",
        }
    }

    /// For people: what is behind "1 object", and behind "2 objects".
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Lost => ("is lost: nothing points to it", "are lost: nothing points to them"),
            Self::Cycle => ("is part of a cycle: it points to objects that point to it", CYCLE),
            Self::Thread => (
                "is held by a thread: its stack leads to it",
                "are held by threads: their stacks lead to them",
            ),
            Self::Global => {
                ("is reachable from a global variable", "are reachable from global variables")
            }
            Self::Mapped => (
                "is reachable from memory that was mapped",
                "are reachable from memory that was mapped",
            ),
            Self::Owned => ("is owned by another held object", "are owned by other held objects"),
        }
    }
}

const CYCLE: &str = "are a cycle: they point to each other, and nothing else points to them";

/// A block that has an object in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// References on the object.
    pub references: u32,
    /// The object's number.
    pub serial: u64,
    /// Its type's.
    pub kind: u32,
    /// Whether the report has it.
    pub is_reported: bool,
    /// Whether there are other objects in the block.
    pub is_shared: bool,
}

/// Blocks by number.
#[derive(Default)]
pub struct Graph {
    /// What is known of each. `None`: it is no object's.
    pub blocks: Vec<Option<Holding>>,
    /// Blocks that something leads to that is no block.
    pub roots: Vec<(u32, Class)>,
    /// From a block to another.
    pub edges: Vec<(u32, u32)>,
}

/// What is said of a block's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// How they are held.
    pub class: Class,
    /// Whether objects that the report shows account for all references on it.
    pub is_covered: bool,
    /// Whether there are as many held objects of other types that lead to it as it has references.
    pub is_accounted: bool,
}

impl Verdict {
    /// That of an object of which nothing else is known.
    pub fn new(class: Class) -> Self {
        Self { class, is_covered: false, is_accounted: false }
    }
}

/// What tells pointers between objects apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Way {
    kinds: (u32, u32),
    /// Whether it leads from the younger object to the older one.
    pub is_back: bool,
}

/// For each block those that lead to it, in their order.
pub type Sources = HashMap<u32, Vec<u32>, FxBuildHasher>;

impl Graph {
    /// A verdict for each block that has an object. `is_whole`: all memory was looked at. Otherwise nothing is said of
    /// blocks to which no root was seen to lead.
    pub fn judge(mut self, is_whole: bool) -> Vec<Option<Verdict>> {
        self.edges.sort_unstable();
        self.edges.dedup();
        let edges = Edges::new(self.blocks.len(), &self.edges);
        let mut classes: Vec<Option<Class>> = vec![None; self.blocks.len()];
        for class in Class::ROOTS {
            self.reach(&edges, class, &mut classes);
        }
        if !is_whole {
            return classes.into_iter().map(|class| class.map(Verdict::new)).collect();
        }
        let owned = self.between_objects(&edges, &classes);
        let owned = self.own(&owned, &mut classes);
        let mut verdicts: Vec<Option<Verdict>> = vec![None; self.blocks.len()];
        for block in self.holding() {
            verdicts[block as usize] = classes[block as usize].map(Verdict::new);
        }
        self.account(&owned, &mut verdicts);
        self.reach_owners(&owned, &mut verdicts);
        self.cover(&owned, &mut verdicts);
        verdicts
    }

    fn holding(&self) -> impl Iterator<Item = u32> + '_ {
        (0..).zip(&self.blocks).filter(|(_, known)| known.is_some()).map(|(block, _)| block)
    }

    fn has_object(&self, block: u32) -> bool {
        self.blocks[block as usize].is_some()
    }

    /// Follows the roots of one class up to the first object.
    fn reach(&self, edges: &Edges, class: Class, classes: &mut [Option<Class>]) {
        let of_class = self.roots.iter().filter(|root| root.1 == class);
        let mut left: Vec<u32> = of_class.map(|&(block, _)| block).collect();
        while let Some(block) = left.pop() {
            if classes[block as usize].is_some() {
                continue;
            }
            classes[block as usize] = Some(class);
            if !self.has_object(block) {
                left.extend(edges.of(block));
            }
        }
    }

    /// The edges between objects. A block without an object is that of the nearest object that leads to it, unless a
    /// root leads to it.
    fn between_objects(&self, edges: &Edges, classes: &[Option<Class>]) -> Vec<(u32, u32)> {
        let mut owners: Vec<Option<u32>> = vec![None; self.blocks.len()];
        let mut left: VecDeque<u32> = self.holding().collect();
        left.iter().for_each(|&block| owners[block as usize] = Some(block));
        let mut found = Vec::new();
        while let Some(block) = left.pop_front() {
            let Some(owner) = owners[block as usize] else { continue };
            for &next in edges.of(block) {
                if self.has_object(next) {
                    found.extend((next != owner).then_some((owner, next)));
                } else if owners[next as usize].is_none() && classes[next as usize].is_none() {
                    owners[next as usize] = Some(owner);
                    left.push_back(next);
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Finds the class of each object to which no root leads at once. Returns for each object those that own it.
    fn own(&self, edges: &[(u32, u32)], classes: &mut [Option<Class>]) -> Sources {
        let next = Edges::new(self.blocks.len(), edges);
        let mut left: Vec<u32> =
            self.holding().filter(|&block| classes[block as usize].is_some()).collect();
        while let Some(block) = left.pop() {
            for &owned in next.of(block) {
                if classes[owned as usize].is_none() {
                    classes[owned as usize] = Some(Class::Owned);
                    left.push(owned);
                }
            }
        }
        let is_lost = |block: &u32| classes[*block as usize].is_none();
        let mut lost: Vec<_> = edges.iter().copied().filter(|edge| is_lost(&edge.0)).collect();
        lost.retain(|edge| is_lost(&edge.1));
        let components =
            cycles::components(self.blocks.len(), &Edges::new(self.blocks.len(), &lost));
        let borrowed = self.borrowed(&lost, &components);
        lost.retain(|edge| !borrowed.contains(edge));
        let components =
            cycles::components(self.blocks.len(), &Edges::new(self.blocks.len(), &lost));
        let is_inside =
            |edge: &&(u32, u32)| components[edge.0 as usize] == components[edge.1 as usize];
        let in_cycles: HashSet<u32, FxBuildHasher> =
            lost.iter().filter(is_inside).map(|edge| edge.1).collect();
        let owned: HashSet<u32, FxBuildHasher> = lost.iter().map(|edge| edge.1).collect();
        for block in self.holding() {
            classes[block as usize].get_or_insert(match block {
                block if in_cycles.contains(&block) => Class::Cycle,
                block if owned.contains(&block) => Class::Owned,
                _ => Class::Lost,
            });
        }
        let mut sources = Sources::default();
        for &(from, to) in edges.iter().filter(|edge| !borrowed.contains(edge)) {
            sources.entry(to).or_default().push(from);
        }
        sources
    }

    /// Pointers among objects that point to each other which are no references, as far as the counts tell. They are
    /// judged by the types of both objects and by which of the two is older: a pointer to an owner is mostly one to an
    /// older object of which there are more than the owner has references.
    fn borrowed(
        &self,
        edges: &[(u32, u32)],
        components: &[u32],
    ) -> HashSet<(u32, u32), FxBuildHasher> {
        let mut inside: HashMap<u32, Vec<Way>, FxBuildHasher> = HashMap::default();
        let is_inside =
            |&&(from, to): &&(u32, u32)| components[from as usize] == components[to as usize];
        for &(from, to) in edges.iter().filter(is_inside) {
            inside.entry(to).or_default().extend(self.way(from, to));
        }
        let mut votes: HashMap<Way, (usize, usize), FxBuildHasher> = HashMap::default();
        for (to, ways) in &inside {
            let references = self.blocks[*to as usize].map_or(0, |of| of.references) as usize;
            let mut counts: HashMap<Way, usize, FxBuildHasher> = HashMap::default();
            ways.iter().for_each(|&way| *counts.entry(way).or_default() += 1);
            for (way, count) in counts {
                let is_too_many = count > references || way.is_back && ways.len() > references;
                let (against, all) = votes.entry(way).or_default();
                *against += usize::from(is_too_many);
                *all += 1;
            }
        }
        let is_borrowed = |&&(from, to): &&(u32, u32)| {
            let of = self.way(from, to).and_then(|way| votes.get(&way));
            of.is_some_and(|&(against, all)| 2 * against >= all)
        };
        edges.iter().filter(is_inside).filter(is_borrowed).copied().collect()
    }

    /// The way from an object to another.
    pub fn way(&self, from: u32, to: u32) -> Option<Way> {
        let (from, to) = (self.blocks[from as usize]?, self.blocks[to as usize]?);
        Some(Way { kinds: (from.kind, to.kind), is_back: from.serial > to.serial })
    }

    /// Whether those that own an object account for all references on it. A pointer of a younger object may be one to
    /// its owner, so it counts only where the numbers agree for several.
    fn is_explained(&self, block: u32, sources: &[u32]) -> bool {
        let Some(of) = self.blocks[block as usize].filter(|of| !of.is_shared) else { return false };
        let is_older = |&&from: &&u32| {
            self.blocks[from as usize].is_some_and(|other| other.serial < of.serial)
        };
        let older = sources.iter().filter(is_older).count();
        let (references, younger) = (of.references as usize, sources.len() - older);
        references <= older.max(1) || younger >= 3 && references == older + younger
    }

    /// Marks the objects that the report need not show, since it shows the objects that lead to them. An object that one
    /// of its own type leads to is shown: they may be in a list, and each have a leak of its own.
    fn cover(&self, sources: &Sources, verdicts: &mut [Option<Verdict>]) {
        let is_reported =
            |block: &u32| self.blocks[*block as usize].is_some_and(|of| of.is_reported);
        let mut can_be: HashSet<u32, FxBuildHasher> = sources
            .iter()
            .filter(|&(to, from)| {
                let is_owned = verdicts[*to as usize].is_some_and(|of| of.class == Class::Owned);
                is_owned
                    && is_reported(to)
                    && from.iter().any(is_reported)
                    && self.is_explained(*to, from)
            })
            .map(|(&to, _)| to)
            .collect();
        let mut next = Sources::default();
        for (&to, from) in sources.iter().filter(|(to, _)| can_be.contains(to)) {
            from.iter().for_each(|&from| next.entry(from).or_default().push(to));
        }
        // With each, the type of the object from which it was reached: it is shown, and the report has a section for it.
        let kind = |block: u32| self.blocks[block as usize].map(|of| of.kind);
        let shown = self.holding().filter(|block| is_reported(block) && !can_be.contains(block));
        let mut left: Vec<_> = shown.map(|block| (block, kind(block))).collect();
        while let Some((block, from)) = left.pop() {
            for owned in next.remove(&block).unwrap_or_default() {
                if can_be.remove(&owned) {
                    if let Some(verdict) = verdicts[owned as usize].as_mut() {
                        verdict.is_covered = kind(owned) != from;
                    }
                    left.push((owned, from));
                }
            }
        }
    }
}
