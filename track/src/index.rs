//! Numbers of objects by address: a hash table of four bytes a slot.
//!
//! A slot has an object's number in its low bits, and in the others a part of the address's hash, so that hardly
//! ever an object is looked at in vain: each look at one of many objects waits for memory.

use crate::budget::Budget;
use crate::pages::Pages;
use crate::slab::At;

const EMPTY: u32 = u32::MAX;
/// The slots of a page, and the fewest of a table.
const PAGE: usize = 1024;

/// The table. It has no addresses: its owner shows them.
pub struct Index {
    slots: Pages<u32, PAGE>,
    /// How many slots: a power of two.
    size: usize,
    count: usize,
}

fn hash(address: u64) -> u64 {
    let hash = (address >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ hash >> 32
}

impl Index {
    /// No objects.
    pub fn new(budget: &Budget) -> Self {
        Self { slots: empty(PAGE, budget), size: PAGE, count: 0 }
    }

    /// Another index with the same objects.
    pub fn share(&mut self) -> Self {
        Self { slots: self.slots.share(), ..*self }
    }

    fn bits(&self) -> u32 {
        self.size.trailing_zeros()
    }

    fn place(&self, hash: u64) -> usize {
        (hash >> 16) as usize & (self.size - 1)
    }

    fn slot(&self, hash: u64, at: At) -> u32 {
        (hash as u32) << self.bits() | at
    }

    /// The number of the object at `address`. `address_of` tells each object's.
    pub fn find(&self, address: u64, address_of: impl Fn(At) -> u64) -> Option<At> {
        let hash = hash(address);
        let (mask, bits) = (self.size - 1, self.bits());
        let wanted = (hash as u32) << bits;
        let mut place = self.place(hash);
        loop {
            let slot = *self.slots.at(place);
            if slot == EMPTY {
                return None;
            }
            let at = slot & mask as u32;
            if slot - at == wanted && address_of(at) == address {
                return Some(at);
            }
            place = (place + 1) & mask;
        }
    }

    /// Asks the processor for the slot of an address that will be looked up soon.
    pub fn prefetch(&self, address: u64) {
        prefetch(self.slots.at(self.place(hash(address))));
    }

    /// What the slot of an address leads to, whether it is right or not.
    pub fn guess(&self, address: u64) -> Option<At> {
        let hash = hash(address);
        let mask = self.size - 1;
        let wanted = (hash as u32) << self.bits();
        let near = (0..4).map(|step| *self.slots.at((self.place(hash) + step) & mask));
        near.take_while(|&slot| slot != EMPTY)
            .find(|&slot| slot & !(mask as u32) == wanted)
            .map(|slot| slot & mask as u32)
    }

    /// Adds an object whose address is not there yet.
    pub fn insert(&mut self, address: u64, at: At, address_of: impl Fn(At) -> u64) {
        // Three quarters full at most. An object's number is less than the number of slots, and never all ones.
        while 4 * (self.count + 1) > 3 * self.size || at as usize + 1 >= self.size {
            self.grow(&address_of);
        }
        self.put(address, at);
        self.count += 1;
    }

    fn put(&mut self, address: u64, at: At) {
        let hash = hash(address);
        let mut place = self.place(hash);
        while *self.slots.at(place) != EMPTY {
            place = (place + 1) & (self.size - 1);
        }
        *self.slots.at_mut(place) = self.slot(hash, at);
    }

    fn grow(&mut self, address_of: &impl Fn(At) -> u64) {
        let mask = self.size as u32 - 1;
        self.size *= 2;
        let slots = empty(self.size, self.slots.budget());
        let before = std::mem::replace(&mut self.slots, slots);
        for &slot in before.all().filter(|&&slot| slot != EMPTY) {
            self.put(address_of(slot & mask), slot & mask);
        }
    }

    /// Removes an object. What its slot kept away from its own place moves there.
    pub fn remove(&mut self, address: u64, at: At, address_of: impl Fn(At) -> u64) {
        let mask = self.size - 1;
        let hashed = hash(address);
        let wanted = self.slot(hashed, at);
        let mut hole = self.place(hashed);
        while *self.slots.at(hole) != wanted {
            if *self.slots.at(hole) == EMPTY {
                return;
            }
            hole = (hole + 1) & mask;
        }
        self.count -= 1;
        let mut place = hole;
        loop {
            place = (place + 1) & mask;
            let slot = *self.slots.at(place);
            if slot == EMPTY {
                break;
            }
            let home = self.place(hash(address_of(slot & mask as u32)));
            // Not if its own place lies between the hole and here.
            if (place.wrapping_sub(home) & mask) >= (place.wrapping_sub(hole) & mask) {
                *self.slots.at_mut(hole) = slot;
                hole = place;
            }
        }
        *self.slots.at_mut(hole) = EMPTY;
    }
}

fn empty(size: usize, budget: &Budget) -> Pages<u32, PAGE> {
    let mut slots = Pages::new(budget);
    (0..size / PAGE).for_each(|_| slots.add(EMPTY));
    slots
}

/// Asks the processor for memory that will be read soon.
pub fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(
            std::ptr::from_ref(value).cast(),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a prefetch reads nothing.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) std::ptr::from_ref(value), options(nostack, readonly));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::Index;
    use crate::budget::Budget;

    /// Against the standard library's table, with addresses that meet often.
    #[test]
    fn is_a_map() {
        let (mut index, mut model) = (Index::new(&Budget::new(1 << 30)), HashMap::new());
        let mut addresses: Vec<u64> = Vec::new();
        let mut random = 1_u64;
        for _ in 0..200_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let address = (random >> 33) % 5000 * 4;
            match model.get(&address) {
                Some(&at) if random >> 60 < 8 => {
                    index.remove(address, at, |at| addresses[at as usize]);
                    model.remove(&address);
                }
                Some(&at) => {
                    assert_eq!(index.find(address, |at| addresses[at as usize]), Some(at));
                }
                None => {
                    assert_eq!(index.find(address, |at| addresses[at as usize]), None);
                    let at = addresses.len() as u32;
                    addresses.push(address);
                    index.insert(address, at, |at| addresses[at as usize]);
                    model.insert(address, at);
                }
            }
        }
        for (&address, &at) in &model {
            assert_eq!(index.find(address, |at| addresses[at as usize]), Some(at));
        }
    }
}
