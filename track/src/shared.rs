//! Memory that processes share. An untracked process may change a count in it. A tracked process may have the count at
//! another address, so that kref-track takes it for another object. So kref-track does not judge objects in such memory.

use std::cell::{Cell, RefCell};

use crate::maps::{self, Line};

/// Where a process has mapped memory that other processes may have, too.
#[derive(Default)]
pub struct Shared {
    ranges: RefCell<Vec<(u64, u64)>>,
    /// The process's id. 0: the process is read from a trace, and the trace lists the shared memory.
    pid: Cell<u32>,
    /// Whether a range was added that is not yet written to the trace.
    is_new: Cell<bool>,
}

impl Shared {
    /// Of a process that is alive.
    pub fn begin(&self, pid: u32) {
        self.pid.set(pid);
        self.look();
    }

    /// The process, if it is not in a trace.
    pub fn pid(&self) -> Option<u32> {
        Some(self.pid.get()).filter(|&pid| pid != 0)
    }

    /// Looks again. What was seen once stays: the process may be over, and its objects are still there.
    pub fn look(&self) {
        if self.pid.get() == 0 {
            return;
        }
        self.read(&maps::read(self.pid.get()).unwrap_or_default());
    }

    /// Adds the shared memory that a text of /proc/PID/maps lists.
    fn read(&self, text: &[u8]) {
        // Not the memory of kref-track's session: it does not belong to a program.
        let of_program = |line: &Line| line.is_shared() && line.judge().is_none();
        let found = maps::lines(text).filter(of_program);
        found.for_each(|line| self.add((line.start, line.end)));
    }

    /// Adds a range.
    pub fn add(&self, range: (u64, u64)) {
        let mut ranges = self.ranges.borrow_mut();
        if !ranges.contains(&range) && ranges.len() < MOST {
            ranges.push(range);
            self.is_new.set(true);
        }
    }

    /// What a fork's child has as well.
    pub fn extend(&self, other: &Self) {
        other.ranges.borrow().iter().for_each(|&range| self.add(range));
    }

    /// Whether an address is in such memory, as far as is known.
    pub fn has(&self, address: u64) -> bool {
        self.ranges.borrow().iter().any(|&(start, end)| (start..end).contains(&address))
    }

    /// All ranges, if there is a new one since the last call.
    pub fn news(&self) -> Vec<(u64, u64)> {
        if self.is_new.replace(false) { self.ranges.borrow().clone() } else { Vec::new() }
    }
}

/// More ranges are not kept.
const MOST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::Shared;

    #[test]
    fn what_is_shared() {
        let shared = Shared::default();
        shared.read(
            b"1000-2000 rw-s 00000000 00:01 1044    /dev/zero (deleted)\n\
            2000-3000 rw-p 00000000 08:01 1234    /lib/s\n\
            3000-4000 rw-s 00000000 00:01 1    /memfd:kref-track.12 (deleted)\n\
            4000-5000 rw-s 00000000 08:01 12    /tmp/no UTF-8: \xff\n",
        );
        assert_eq!(shared.news(), [(0x1000, 0x2000), (0x4000, 0x5000)]);
    }

    #[test]
    fn memory_of_this_process() {
        let shared = Shared::default();
        let (access, kind) = (libc::PROT_READ, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: new memory.
        let place = unsafe { libc::mmap(std::ptr::null_mut(), 4096, access, kind, -1, 0) } as u64;
        shared.look();
        assert!(!shared.has(place), "of no process");
        shared.begin(std::process::id());
        assert!(shared.has(place) && shared.has(place + 4095));
        assert!(!shared.has(std::ptr::from_ref(&shared) as u64));
        assert!(!shared.news().is_empty() && shared.news().is_empty());
    }
}
