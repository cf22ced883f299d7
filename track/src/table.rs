//! All tracked objects, by address. Each shard has a lock of its own.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustc_hash::FxBuildHasher;
use std::collections::HashMap;

use crate::lock::Lock;
use crate::memory;
use crate::object::{Act, Object};

const SHARDS: usize = 128;
/// How many released objects each shard remembers, for whoever comes too late.
const REMEMBERED: usize = 512;

struct Shard {
    objects: HashMap<usize, Object, FxBuildHasher>,
    /// Addresses and serials of the released ones, the oldest first.
    released: VecDeque<(usize, u64)>,
}

static TABLE: [Lock<Shard>; SHARDS] = [const {
    Lock::new(Shard { objects: HashMap::with_hasher(FxBuildHasher), released: VecDeque::new() })
}; SHARDS];
static SERIAL: AtomicU64 = AtomicU64::new(0);
/// Objects that were not tracked, for want of memory.
pub static LOST: AtomicU64 = AtomicU64::new(0);

fn shard(address: usize) -> &'static Lock<Shard> {
    let hash = (address as u64 >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    &TABLE[(hash >> 57) as usize % SHARDS]
}

/// Begins an object; gives the one back that was at its address. `None` in the first place: no memory.
pub fn insert(
    address: usize,
    created: Act,
    type_name: Option<&'static str>,
) -> (Option<u64>, Option<Object>) {
    let mut shard = shard(address).lock();
    let before = shard.objects.remove(&address);
    if !memory::has_room() || shard.objects.try_reserve(1).is_err() {
        LOST.fetch_add(1, Relaxed);
        return (None, before);
    }
    let serial = SERIAL.fetch_add(1, Relaxed) + 1;
    shard.objects.insert(address, Object::new(serial, created, type_name));
    (Some(serial), before)
}

/// Works on the object at `address`, if there is one.
pub fn with<T>(address: usize, work: impl FnOnce(&mut Object) -> T) -> Option<T> {
    shard(address).lock().objects.get_mut(&address).map(work)
}

/// Ends the object at `address`, which stays known for a while.
pub fn end(address: usize, by: Act, release: usize) -> Option<u64> {
    let mut shard = shard(address).lock();
    let shard = &mut *shard;
    let object = shard.objects.get_mut(&address).filter(|object| object.released.is_none())?;
    object.end(by);
    object.release = release;
    let serial = object.serial;
    if shard.released.len() >= REMEMBERED
        && let Some((old, serial)) = shard.released.pop_front()
        && shard.objects.get(&old).is_some_and(|object| object.serial == serial)
    {
        shard.objects.remove(&old);
    }
    if shard.released.try_reserve(1).is_ok() {
        shard.released.push_back((address, serial));
    }
    Some(serial)
}

/// Shows every live object, shard by shard.
pub fn each_live(mut look: impl FnMut(usize, &Object)) {
    for shard in &TABLE {
        let shard = shard.lock();
        let live = shard.objects.iter().filter(|(_, object)| object.released.is_none());
        live.for_each(|(&address, object)| look(address, object));
    }
}

/// How many objects there were.
pub fn created() -> u64 {
    SERIAL.load(Relaxed)
}

/// Around a fork.
pub fn before_fork() {
    TABLE.iter().for_each(Lock::take);
}

/// In the parent and in the child.
pub fn after_fork() {
    TABLE.iter().for_each(Lock::give_back);
}
