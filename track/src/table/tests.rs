use std::collections::HashMap;
use std::path::PathBuf;

use super::Table;
use crate::budget::Budget;
use crate::code::Code;
use crate::debug::Places;
use crate::matching::Distances;
use crate::names::NONE;
use crate::object::{Act, RELEASED};

/// A table, and what should be in it: the references on each object, 0 if it was released.
struct Process {
    table: Table,
    model: HashMap<u64, u32>,
}

impl Process {
    fn step(&mut self, address: u64, what: u64, code: &Code, distances: &Distances) {
        let by = Act { thread: 1, ..Act::default() };
        let held = self.model.get(&address).copied();
        let at = self.table.find(address);
        assert_eq!(at.is_some(), held.is_some());
        match (at, held) {
            (Some(at), Some(0)) => {
                self.table.remove(at);
                self.model.remove(&address);
            }
            (Some(at), Some(held)) if what == 0 || held == 1 && what < 3 => {
                self.table.end(at, by);
                self.model.insert(address, 0);
            }
            (Some(at), Some(held)) if what < 3 => {
                self.table.put(at, by, NONE, code, distances);
                self.model.insert(address, held - 1);
            }
            (Some(at), Some(held)) => {
                self.table.get(at, by, NONE, 1);
                self.model.insert(address, held + 1);
            }
            _ => {
                self.table.insert(address, by, NONE, 1).expect("room");
                self.model.insert(address, 1);
            }
        }
    }

    fn check(&self) {
        let known: HashMap<_, _> = self
            .table
            .known()
            .map(|object| {
                let held: u32 = self.table.held(object).map(|held| held.count).sum();
                assert!(!object.is(RELEASED) || held == 0);
                (object.address, held)
            })
            .collect();
        assert_eq!(known, self.model);
        for &address in self.model.keys() {
            assert!(self.table.find(address).is_some());
        }
    }
}

/// Processes that fork each other: what one does with its objects changes no other's.
#[test]
fn a_childs_table_is_the_parents_at_the_fork() {
    let (code, distances) = (Code::new(PathBuf::new(), Places::new(None)), Distances::default());
    let budget = Budget::new(1 << 30);
    let mut processes = vec![Process { table: Table::new(&budget), model: HashMap::new() }];
    let mut random = 1_u64;
    for step in 0..200_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let place = (random >> 50) as usize % processes.len();
        if step % 5000 == 4999 {
            let parent = &mut processes[place];
            let child = Process { table: parent.table.fork(), model: parent.model.clone() };
            processes.push(child);
            if processes.len() > 6 {
                processes.remove(0).check();
            }
        }
        let address = (random >> 33) % 3000 * 8;
        let place = place % processes.len();
        processes[place].step(address, random >> 60, &code, &distances);
    }
    processes.iter().for_each(Process::check);
    processes.clear();
    assert_eq!(budget.used(), 0);
}

/// More references than a group counts are one in a report.
#[test]
fn what_was_taken_alike_is_one_holder() {
    let mut table = Table::new(&Budget::new(1 << 20));
    let by = |time| Act { stack: 1, thread: 1, time };
    let at = table.insert(0x5000, by(0), NONE, 1).expect("room");
    (1..=70_000).for_each(|time| table.get(at, by(time), NONE, 1));
    let holders = table.holders(table.object(at));
    let told: Vec<_> = holders.iter().map(|it| (it.is_first, it.count, it.by.time)).collect();
    assert_eq!(told, [(true, 1, 0), (false, 70_000, 1)]);
}
