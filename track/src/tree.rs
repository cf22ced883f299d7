//! A tree of call sites for many objects of one type: gets count up, puts count down, and branches in
//! which as many were put as were got are left out.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::leaks::Type;
use crate::text;
use crate::world::World;

/// Fewer objects than this have their stacks to themselves.
const MANY: u64 = 8;
/// Branches that are shown.
const MOST: usize = 64;

/// A place, what came to it, and from it.
#[derive(Default)]
struct Node {
    gets: u64,
    puts: u64,
    callees: BTreeMap<String, Node>,
}

/// Writes the tree of a type of which there are many.
pub fn write(world: &World, out: &mut String, of: &Type) {
    if of.objects < MANY {
        return;
    }
    let mut root = Node::default();
    for (&stack, &(gets, puts)) in &of.sites {
        if stack == 0 {
            continue;
        }
        root.add(world.code.described(stack).iter().rev().map(text::place), gets, puts);
    }
    let _ = writeln!(out, "  gets - puts by caller, without branches that are even:");
    let mut left = MOST;
    root.write(out, 2, &mut left);
}

impl Node {
    fn add(&mut self, path: impl Iterator<Item = String>, gets: u64, puts: u64) {
        let mut node = self;
        node.gets += gets;
        node.puts += puts;
        for place in path {
            node = node.callees.entry(place).or_default();
            node.gets += gets;
            node.puts += puts;
        }
    }

    fn is_even(&self) -> bool {
        self.gets == self.puts
    }

    fn write(&self, out: &mut String, depth: usize, left: &mut usize) {
        let mut callees: Vec<_> = self.callees.iter().filter(|(_, node)| !node.is_even()).collect();
        callees.sort_by_key(|(_, node)| node.puts as i64 - node.gets as i64);
        for (place, node) in callees {
            if *left == 0 {
                return;
            }
            *left -= 1;
            let net = node.gets as i64 - node.puts as i64;
            let _ = writeln!(out, "{:indent$}{net:+} {place}", "", indent = 2 * depth);
            node.write(out, depth + 1, left);
        }
    }
}
