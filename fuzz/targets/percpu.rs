//! Random operations on a percpu reference, against a model. Kills, resurrections and changes of the mode
//! come at any time, also where they are misuse. Gets and puts keep to the rules.
#![no_main]

mod violations;

use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use kref::{ALLOW_REINIT, INIT_ATOMIC, INIT_DEAD, PercpuRef, ViolationKind};
use libfuzzer_sys::fuzz_target;
use violations::watched;

static RELEASED: AtomicUsize = AtomicUsize::new(0);
static CONFIRMED: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn release(_: NonNull<PercpuRef>) {
    RELEASED.fetch_add(1, Relaxed);
}

unsafe extern "C" fn confirm(_: NonNull<PercpuRef>) {
    CONFIRMED.fetch_add(1, Relaxed);
}

/// The most references that one operation gives back.
const MOST: usize = i32::MAX as usize;

struct Model {
    percpu: NonNull<PercpuRef>,
    is_dead: bool,
    /// Atomic mode was asked for.
    is_atomic: bool,
    may_return: bool,
    /// All references, with the initial one.
    count: usize,
    released: usize,
    confirmed: usize,
}

fuzz_target!(|data: &[u8]| {
    let Some((&flags, operations)) = data.split_first() else { return };
    let flags = u32::from(flags) & (INIT_ATOMIC | INIT_DEAD | ALLOW_REINIT);
    // SAFETY: `release` may be called with any address.
    let mut percpu = unsafe { PercpuRef::new(release, flags) }.expect("memory");
    let is_dead = flags & INIT_DEAD != 0;
    let mut model = Model {
        percpu: NonNull::from(&mut percpu),
        is_dead,
        is_atomic: flags & INIT_ATOMIC != 0,
        may_return: flags != 0,
        count: usize::from(!is_dead),
        released: 0,
        confirmed: 0,
    };
    RELEASED.store(0, Relaxed);
    CONFIRMED.store(0, Relaxed);
    for &[operation, a, b] in operations.as_chunks().0 {
        let n = usize::from(a) * if b % 4 == 0 { 0x80_0000 } else { 1 };
        let (violation, told) = watched(|| model.step(operation, n));
        assert_eq!(told, violation.as_slice(), "{} of {n}", operation % 9);
        model.compare();
    }
    let ((), told) = watched(|| {
        while model.held() > 0 {
            model.put(model.held().min(MOST));
        }
        drop(percpu);
    });
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(RELEASED.load(Relaxed), model.released);
});

impl Model {
    fn percpu(&self) -> &PercpuRef {
        // SAFETY: it lives until all operations were made.
        unsafe { self.percpu.as_ref() }
    }

    /// All references but the initial one.
    fn held(&self) -> usize {
        self.count - usize::from(!self.is_dead)
    }

    fn compare(&self) {
        assert_eq!(RELEASED.load(Relaxed), self.released);
        assert_eq!(CONFIRMED.load(Relaxed), self.confirmed);
        assert_eq!(self.percpu().is_dying(), self.is_dead);
        assert_eq!(self.percpu().is_zero(), self.count == 0);
    }

    /// Makes one operation. Returns the violation that it must report.
    fn step(&mut self, operation: u8, n: usize) -> Option<ViolationKind> {
        match operation % 9 {
            0 if self.count > 0 => {
                self.percpu().get_many(n);
                self.count += n;
            }
            1 => {
                let got = self.percpu().tryget_many(n);
                assert_eq!(got, self.count > 0);
                self.count += if got { n } else { 0 };
            }
            2 => {
                let got = self.percpu().tryget_live();
                assert_eq!(got, !self.is_dead);
                self.count += usize::from(got);
            }
            3 => self.put(n.min(self.held())),
            4 => return self.kill(),
            5 if self.count > 0 => {
                self.percpu().switch_to_atomic();
                self.is_atomic = true;
            }
            6 => {
                self.percpu().switch_to_percpu();
                if self.is_atomic && !self.may_return && !self.is_dead {
                    return Some(ViolationKind::BadReinit);
                }
                self.is_atomic = false;
            }
            7 => {
                self.percpu().resurrect();
                return self.revived(true);
            }
            8 => {
                self.percpu().reinit();
                return self.revived(self.count == 0);
            }
            _ => {}
        }
        None
    }

    fn put(&mut self, n: usize) {
        if n > 0 {
            self.count -= n;
            self.released += usize::from(self.count == 0);
            // SAFETY: the program holds these references.
            unsafe { PercpuRef::put_many(self.percpu, n) };
        }
    }

    fn kill(&mut self) -> Option<ViolationKind> {
        // SAFETY: the program holds the initial reference, unless the reference is dead, which is reported.
        unsafe { PercpuRef::kill(self.percpu, Some(confirm)) };
        if self.is_dead {
            return Some(ViolationKind::KilledTwice);
        }
        self.is_dead = true;
        self.confirmed += 1;
        self.count -= 1;
        self.released += usize::from(self.count == 0);
        None
    }

    /// What must have happened at a resurrection. The reference comes back also where that is misuse.
    fn revived(&mut self, is_right: bool) -> Option<ViolationKind> {
        let was_dead = self.is_dead;
        if was_dead {
            self.is_dead = false;
            self.count += 1;
        }
        (!was_dead || !is_right || !self.may_return).then_some(ViolationKind::BadReinit)
    }
}
