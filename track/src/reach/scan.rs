//! Reads all memory that can have pointers, and finds those that lead to blocks.

use crate::reach::graph::{Class, Graph};
use crate::reach::heap::{Blocks, Heap, STATE, TOP};
use crate::reach::memory::Memory;
use crate::reach::regions::{Kind, Region};
use crate::reach::threads::{Asker, Stacks};

/// More blocks, or more pointers between them, are not looked at.
const MOST_BLOCKS: usize = 1 << 22;
const MOST_EDGES: usize = 1 << 22;

/// A part of the memory that is no block, and what is said of the blocks that it leads to.
type Source = (u64, u64, Class);

/// A search for pointers.
pub struct Scan {
    /// The memory.
    pub memory: Memory,
    /// Where stacks are in use.
    pub stacks: Stacks,
    /// The blocks of malloc().
    pub blocks: Blocks,
    /// The same by number, and what leads to them.
    pub graph: Graph,
    sources: Vec<Source>,
    is_full: bool,
}

impl Scan {
    /// Of a process. `None`: its memory cannot be read.
    pub fn of(pid: u32, regions: &[Region], asker: Option<&Asker>) -> Option<Self> {
        let memory = Memory::of(pid);
        let first = regions.first()?;
        memory.window().word(first.start)?;
        let stacks = Stacks::of(pid, asker);
        let (mut heap, mut sources) = (Heap::default(), Vec::new());
        for region in regions {
            match region.kind {
                Kind::Globals => sources.push((region.start, region.end, Class::Global)),
                Kind::LibcGlobals => {}
                Kind::Heap => heap.find(&memory, region),
                Kind::Stack | Kind::Anonymous => match stacks.used(&memory, region) {
                    Some(used) => sources.extend(used.map(|(at, end)| (at, end, Class::Thread))),
                    None => heap.find(&memory, region),
                },
            }
        }
        for region in regions.iter().filter(|region| region.kind == Kind::LibcGlobals) {
            sources.extend(without_state(&memory, region, heap.top));
        }
        sources.extend(heap.others.iter().map(|&(start, end)| (start, end, Class::Mapped)));
        let is_full = heap.blocks.len() > MOST_BLOCKS;
        heap.blocks.truncate(MOST_BLOCKS);
        let blocks = Blocks::new(heap.blocks);
        let graph = Graph { blocks: vec![None; blocks.all.len()], ..Graph::default() };
        Some(Self { memory, stacks, blocks, graph, sources, is_full })
    }

    /// Whether something was left out.
    pub fn is_cut(&self) -> bool {
        self.is_full || self.memory.is_cut()
    }

    /// Reads all of it: what is not of the heap first, since without the roots nothing is known.
    pub fn read_all(&mut self) {
        self.sources.sort_by_key(|source| source.2);
        for &(start, end, class) in &self.sources {
            let mut last = None;
            self.memory.words(start, end, |_, word| {
                let found = self.blocks.find(word).filter(|&block| Some(block) != last);
                self.graph.roots.extend(found.map(|block| (block, class)));
                last = found.or(last);
            });
        }
        let waiting = self.stacks.ends().iter().filter_map(|&end| self.blocks.find(end));
        self.graph.roots.extend(waiting.map(|block| (block, Class::Thread)));
        for area in &self.blocks.areas {
            let mut from = area.first;
            let edges = &mut self.graph.edges;
            self.memory.words(area.start, area.end, |place, word| {
                while self.blocks.all.get(from).is_some_and(|block| block.1 <= place) {
                    from += 1;
                }
                let Some(to) = self.blocks.find(word) else { return };
                let is_inside = self.blocks.all.get(from).is_some_and(|block| block.0 <= place);
                let edge = (from as u32, to);
                let is_new = is_inside && edge.0 != edge.1 && edges.last() != Some(&edge);
                if is_new && edges.len() < MOST_EDGES {
                    edges.push(edge);
                }
            });
            self.is_full |= edges.len() >= MOST_EDGES;
        }
    }

    /// Where variables and stacks in use are.
    pub fn outside(&self) -> Vec<Source> {
        let is_known = |source: &&Source| source.2 != Class::Mapped;
        self.sources.iter().filter(is_known).copied().collect()
    }
}

/// The C library's variables without the state of malloc(), which has pointers to free chunks. Where it is, tells the
/// head of the first heap's last chunk.
fn without_state(memory: &Memory, region: &Region, top: Option<u64>) -> Vec<Source> {
    let mut found = None;
    memory.words(region.start, region.end, |place, word| {
        found = found.or((Some(word) == top).then_some(place));
    });
    let Some(place) = found else { return vec![(region.start, region.end, Class::Global)] };
    let (before, behind) = (place.saturating_sub(TOP), place - TOP + STATE);
    vec![
        (region.start, before.max(region.start), Class::Global),
        (behind.min(region.end), region.end, Class::Global),
    ]
}
