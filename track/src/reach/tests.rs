//! The graph of blocks, as a program's memory may have it.

use crate::reach::graph::{Class, Graph, Holding, Verdict};

/// A graph whose blocks have these references, in the order of their creation, and are of different types. 0: no object is in the block.
fn graph(references: &[u32], edges: &[(u32, u32)]) -> Graph {
    let holding = |(serial, &references)| {
        let kind = 100 + serial as u32;
        let held = Holding { references, serial, kind, is_reported: true, is_shared: false };
        (references > 0).then_some(held)
    };
    let blocks = (1..).zip(references).map(holding).collect();
    Graph { blocks, roots: Vec::new(), edges: edges.to_vec() }
}

impl Graph {
    fn roots(mut self, roots: &[(u32, Class)]) -> Self {
        self.roots.extend(roots);
        self
    }

    /// Gives blocks another type.
    fn kind(mut self, kind: u32, blocks: &[u32]) -> Self {
        for &block in blocks {
            self.blocks[block as usize].as_mut().expect("an object").kind = kind;
        }
        self
    }

    fn classes(self) -> Vec<Option<Class>> {
        self.judge(true).iter().map(|verdict| verdict.map(|verdict| verdict.class)).collect()
    }

    /// The objects that the report shows.
    fn shown(self) -> Vec<usize> {
        let is_shown = |of: &Option<Verdict>| of.is_some_and(|of| !of.is_covered);
        let verdicts = self.judge(true);
        (0..verdicts.len()).filter(|&at| is_shown(&verdicts[at])).collect()
    }
}

#[test]
fn each_root_has_its_class() {
    let roots = [(0, Class::Thread), (1, Class::Global), (1, Class::Thread), (2, Class::Mapped)];
    let found = graph(&[1, 1, 1, 1], &[]).roots(&roots).classes();
    let wanted = [Class::Thread, Class::Global, Class::Mapped, Class::Lost];
    assert_eq!(found, wanted.map(Some));
}

/// A variable has an array (block 2), which has the objects.
#[test]
fn blocks_without_objects_are_passed_through() {
    let table = || graph(&[1, 1, 0], &[(2, 0), (2, 1)]);
    assert_eq!(
        table().roots(&[(2, Class::Global)]).classes(),
        [Some(Class::Global), Some(Class::Global), None]
    );
    assert_eq!(table().classes(), [Some(Class::Lost), Some(Class::Lost), None]);
}

#[test]
fn what_a_lost_object_owns_is_not_shown() {
    let all: Vec<_> = (1..100).map(|child| (0, child)).collect();
    let lost = || graph(&[1; 100], &all);
    assert_eq!(lost().shown(), [0]);
    assert_eq!(lost().classes()[..2], [Some(Class::Lost), Some(Class::Owned)]);
    // The children are in an array (block 0) that the owner (block 1) has.
    let array = graph(&[0, 1, 1, 1], &[(1, 0), (0, 2), (0, 3)]);
    assert_eq!(array.shown(), [1]);
    // A chain.
    assert_eq!(graph(&[1; 4], &[(0, 1), (1, 2), (2, 3)]).shown(), [0]);
}

/// A reference more than there are owners: somebody else has forgotten it.
#[test]
fn an_owned_object_with_a_leak_of_its_own_is_shown() {
    assert_eq!(graph(&[1, 2, 1], &[(0, 1), (0, 2)]).shown(), [0, 1]);
    // Two owners, two references.
    assert_eq!(graph(&[1, 1, 2], &[(0, 2), (1, 2)]).shown(), [0, 1]);
    // The other pointer is that of a younger object, which may be its child.
    assert_eq!(
        graph(&[1, 2, 1], &[(0, 1), (1, 2), (2, 1)]).roots(&[(0, Class::Global)]).shown(),
        [0, 1]
    );
}

/// A variable leads to the third object, too.
#[test]
fn an_object_is_accounted_for_if_it_has_as_many_references_as_owners() {
    let found = |graph: Graph| {
        let verdicts = graph.roots(&[(2, Class::Global)]).judge(true);
        let [.., Some(verdict)] = verdicts[..] else { panic!("no verdict") };
        assert_eq!(verdict.class, Class::Global);
        verdict.is_accounted
    };
    let two_owners = |references| graph(&[1, 1, references], &[(0, 2), (1, 2)]);
    assert!(found(two_owners(2)));
    assert!(!found(two_owners(1)), "one of the pointers is no reference");
    assert!(!found(two_owners(3)), "somebody else has a reference");
    assert!(!found(two_owners(2).kind(1, &[1, 2])), "an owner of its own type: a list");
    let part = graph(&[1, 1, 1], &[(0, 2), (1, 2), (2, 1)]);
    assert!(found(part), "the second object is owned, and points to its owner");
    let mut filtered = two_owners(2);
    filtered.blocks[0].as_mut().expect("an object").is_reported = false;
    assert!(!found(filtered), "the report does not have the owner");
}

/// A variable leads to the parts of an owner, and each part to the owner, which is lost otherwise.
#[test]
fn an_owner_is_not_owned_by_its_parts() {
    let parts = |references| {
        let edges = [(0, 1), (0, 2), (1, 0), (2, 0)];
        graph(&[1, references, references], &edges)
            .kind(7, &[1, 2])
            .roots(&[(1, Class::Global), (2, Class::Global)])
    };
    assert_eq!(parts(1).classes()[0], Some(Class::Global));
    assert_eq!(parts(1).shown(), [0, 1, 2]);
    // A part with a leak of its own (block 2) stays owned. It points back to its owner, which has one reference.
    let leak = graph(&[1, 1, 2], &[(0, 1), (0, 2), (1, 0), (2, 0)]).kind(7, &[1, 2]);
    assert_eq!(leak.roots(&[(0, Class::Global)]).classes()[2], Some(Class::Owned));
    // What leads to the first object is owned by the third, and not by it.
    let third = graph(&[2, 1, 1], &[(1, 0), (2, 1)]).roots(&[(1, Class::Global)]);
    assert_eq!(third.classes()[0], Some(Class::Owned));
    // Somebody else has references on the parts, and a part may have that on the owner.
    assert_eq!(parts(2).classes()[0], Some(Class::Owned));
}

/// A table (block 0) has a list of sessions, each of which may have a leak of its own. The third has a connection.
#[test]
fn objects_in_a_list_are_shown() {
    let list = || graph(&[1; 5], &[(0, 1), (1, 2), (2, 3), (3, 4)]).kind(1, &[1, 2, 3]);
    assert_eq!(list().shown(), [0], "the table is held itself");
    let mut table = list();
    table.blocks[0] = None;
    assert_eq!(table.roots(&[(0, Class::Global)]).shown(), [1, 2, 3]);
}

#[test]
fn what_an_object_owns_that_the_report_does_not_have_is_shown() {
    let mut filtered = graph(&[1, 1, 1], &[(0, 1), (1, 2)]);
    filtered.blocks[0].as_mut().expect("an object").is_reported = false;
    assert_eq!(filtered.shown(), [0, 1]);
    let mut whole_block = graph(&[1, 1], &[(0, 1)]);
    whole_block.blocks[1].as_mut().expect("an object").is_shared = true;
    assert_eq!(whole_block.shown(), [0, 1], "several objects are in it");
}

#[test]
fn objects_that_point_to_each_other_are_a_cycle() {
    let two = graph(&[1, 1, 1], &[(0, 1), (1, 0), (1, 2)]);
    let (cycle, owned) = (Some(Class::Cycle), Some(Class::Owned));
    assert_eq!(two.classes(), [cycle, cycle, owned]);
    assert_eq!(graph(&[1, 1, 1], &[(0, 1), (1, 0), (1, 2)]).shown(), [0, 1]);
    // By way of a block that is no object's.
    assert_eq!(graph(&[1, 0, 1], &[(0, 1), (1, 2), (2, 0)]).classes(), [cycle, None, cycle]);
    // The lost owner of a cycle is no part of it. If its leak is mended the cycle is still there.
    let owner = graph(&[1, 2, 1], &[(0, 1), (1, 2), (2, 1)]);
    assert_eq!(owner.classes(), [Some(Class::Lost), cycle, cycle]);
    let reachable = graph(&[1, 1], &[(0, 1), (1, 0)]).roots(&[(0, Class::Global)]);
    assert_eq!(reachable.classes(), [Some(Class::Global), owned]);
    assert_eq!(graph(&[1], &[(0, 0)]).classes(), [Some(Class::Lost)], "the head of an empty list");
}

/// Three levels, each with a pointer to the one above. It has fewer references than there are such pointers, so
/// these are borrowed.
#[test]
fn pointers_to_an_owner_are_no_cycle() {
    let mut edges = vec![(0, 1), (0, 2)];
    edges.extend((3..9).map(|leaf| (1 + leaf % 2, leaf)));
    edges.extend(edges.clone().iter().map(|&(owner, owned)| (owned, owner)));
    let tree = || graph(&[1; 9], &edges).kind(1, &[1, 2]).kind(2, &[3, 4, 5, 6, 7, 8]);
    assert_eq!(tree().classes()[..2], [Some(Class::Lost), Some(Class::Owned)]);
    assert_eq!(tree().shown(), [0]);
    // Another reference on one of the second level, so that its numbers agree with those of a cycle.
    let mut leak = tree();
    leak.blocks[1].as_mut().expect("an object").references = 2;
    assert_eq!(leak.shown(), [0, 1]);
    let mut leak = tree();
    leak.blocks[1].as_mut().expect("an object").references = 2;
    assert_eq!(leak.classes()[1], Some(Class::Owned));
    // A list in which each object leads to its neighbours.
    let edges = [(0, 1), (1, 2), (2, 3), (3, 2), (2, 1), (1, 0)];
    let list = graph(&[1; 4], &edges).kind(1, &[0, 1, 2, 3]);
    let owned = Some(Class::Owned);
    assert_eq!(list.classes(), [Some(Class::Lost), owned, owned, owned]);
}

#[test]
fn nothing_is_called_lost_if_the_search_was_cut() {
    let cut = graph(&[1, 1, 1, 1], &[(0, 1), (2, 3), (3, 2)]).roots(&[(0, Class::Global)]);
    let verdicts = cut.judge(false);
    let found: Vec<_> = verdicts.iter().map(|of| of.map(|of| (of.class, of.is_covered))).collect();
    assert_eq!(found, [Some((Class::Global, false)), None, None, None]);
}
