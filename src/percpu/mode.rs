//! What changes the mode of a percpu reference: its death, its return, and its end.
//!
//! One change at a time, under a lock from the pool. Nobody who gets or puts takes that lock.

use core::ptr::{self, NonNull};

use super::counters::Counters;
use super::word::Word;
use super::{Data, INIT_ATOMIC, PercpuFn, PercpuRef};
use crate::pool::lock_for;
use crate::rseq::fence;
use crate::sync::Ordering::{Relaxed, Release};
use crate::violation::{Violation, report};

impl PercpuRef {
    /// Kills it: from now on [`tryget_live`](Self::tryget_live) fails, and the last put releases.
    /// Then calls `confirm`, and gives back the initial reference.
    ///
    /// # Safety
    /// The initial reference is the caller's to give up, once; it lies where its release function
    /// expects it, and `confirm` may be called with it.
    #[inline(always)]
    pub unsafe fn kill(this: NonNull<Self>, confirm: Option<PercpuFn>) {
        // SAFETY: the initial reference keeps it alive up to the put.
        let percpu = unsafe { this.as_ref() };
        let killed = percpu.change(|data| {
            if data.word.kill() { Ok(percpu.go_atomic(data)) } else { Err(Violation::KilledTwice) }
        });
        match killed {
            Ok(whole) => {
                // SAFETY: as promised; alive, by the initial reference.
                unsafe { Self::confirm(this, confirm, &whole) };
                match whole {
                    // SAFETY: the initial reference, as promised.
                    Ok(()) => unsafe { Self::put_slow(this, 1) },
                    Err(kind) => _ = report(kind, this.as_ptr(), false),
                }
            }
            Err(kind) => _ = report(kind, this.as_ptr(), false),
        }
    }

    /// Calls `confirm`, unless there is nothing to confirm: a sequence may be about to succeed.
    ///
    /// # Safety
    /// `confirm` may be called with `this`, which is alive.
    #[inline(always)]
    unsafe fn confirm(
        this: NonNull<Self>,
        confirm: Option<PercpuFn>,
        whole: &Result<(), Violation>,
    ) {
        if let Some(confirm) = confirm.filter(|_| *whole != Err(Violation::NotFenced)) {
            // SAFETY: as promised.
            unsafe { confirm(this) };
        }
    }

    /// Counts atomically from now on, until [`switch_to_percpu`](Self::switch_to_percpu).
    pub fn switch_to_atomic(&self) {
        // SAFETY: there is nothing to call.
        unsafe { self.switch_to_atomic_and_confirm(None) };
    }

    /// [`switch_to_atomic`](Self::switch_to_atomic), which then calls `confirm`.
    ///
    /// # Safety
    /// `confirm` may be called with this reference.
    #[inline(always)]
    pub(crate) unsafe fn switch_to_atomic_and_confirm(&self, confirm: Option<PercpuFn>) {
        let whole = self.change(|data| {
            data.flags.store(data.flags.load(Relaxed) | INIT_ATOMIC, Relaxed);
            self.go_atomic(data)
        });
        // SAFETY: as promised; alive, by the caller's reference.
        unsafe { Self::confirm(NonNull::from(self), confirm, &whole) };
        if let Err(kind) = whole {
            report(kind, self, false);
        }
    }

    /// Counts on each CPU again, once it is alive.
    #[inline(always)]
    pub fn switch_to_percpu(&self) {
        let allowed = self.change(|data| {
            data.flags.store(data.flags.load(Relaxed) & !INIT_ATOMIC, Relaxed);
            if !data.allows_reinit() && !data.word.is_split() && !data.word.is_dead() {
                return Err(Violation::BadReinit);
            }
            self.go_percpu(data);
            Ok(())
        });
        if let Err(kind) = allowed {
            report(kind, self, false);
        }
    }

    /// Brings a killed one to life again, with a new initial reference.
    #[inline(always)]
    pub fn resurrect(&self) {
        if let Err(kind) = self.revive(|_| true) {
            report(kind, self, false);
        }
    }

    /// [`resurrect`](Self::resurrect) for one that has been released.
    #[inline(always)]
    pub fn reinit(&self) {
        if let Err(kind) = self.revive(Word::is_zero) {
            report(kind, self, false);
        }
    }

    /// As the kernel does, it goes on where it can, and what it found wrong is told afterwards.
    fn revive(&self, is_right: impl FnOnce(&Word) -> bool) -> Result<(), Violation> {
        self.change(|data| {
            if !data.word.is_dead() {
                return Err(Violation::BadReinit);
            }
            let right = is_right(&data.word) && data.allows_reinit();
            data.word.resurrect();
            self.go_percpu(data);
            if right { Ok(()) } else { Err(Violation::BadReinit) }
        })
    }

    /// Frees what `new` took. If somebody may still hold a reference, that is reported and nothing is
    /// freed. Rust drops instead: nobody else may be here, not even one who only looks.
    #[inline(always)]
    pub(crate) fn exit(&self) {
        let Some(data) = self.data() else { return };
        let ended = self.change(|data| {
            self.go_atomic(data)?;
            // The initial reference of one that was never killed is nobody's but the caller's.
            let initial = isize::from(!data.word.is_dead());
            let alive = data.word.is_split() || !(0..=initial).contains(&data.word.count());
            if alive { Err(Violation::ExitWhileAlive) } else { Ok(()) }
        });
        match ended {
            Ok(()) => {
                self.drop_counters(data);
                if let Some(data) = NonNull::new(self.data.swap(ptr::null_mut(), Relaxed)) {
                    // SAFETY: allocated in `new`; no reference is left, and so nobody is here.
                    unsafe { Data::free(data) };
                }
            }
            Err(kind) => _ = report(kind, self, false),
        }
    }

    /// Runs `change` while nobody else changes the mode.
    fn change<T>(
        &self,
        change: impl FnOnce(&Data) -> Result<T, Violation>,
    ) -> Result<T, Violation> {
        let Some(data) = self.data() else { return Err(Violation::GetOnZero) };
        let _guard = lock_for(ptr::from_ref(self).addr());
        change(data)
    }

    /// Makes the count whole. Under the lock.
    fn go_atomic(&self, data: &Data) -> Result<(), Violation> {
        if !data.word.is_split() {
            return Ok(());
        }
        // Relaxed: the fence makes it seen.
        self.cpus.store(0, Relaxed);
        if !fence() {
            // A sequence may yet add to a counter: the count is never known, so never zero.
            return Err(Violation::NotFenced);
        }
        let Some(counters) = self.counters(data) else { return Ok(()) };
        // SAFETY: after the fence every sequence finds `cpus` to be zero.
        let whole = data.word.fold(unsafe { counters.take_sum() });
        if data.word.is_dead() && !data.allows_reinit() {
            self.drop_counters(data);
        }
        whole
    }

    /// Splits the count, where that is allowed and there are counters. Under the lock.
    pub(super) fn go_percpu(&self, data: &Data) {
        let atomic = data.flags.load(Relaxed) & INIT_ATOMIC != 0;
        if atomic || data.word.is_dead() || data.word.is_split() || self.counters(data).is_none() {
            return;
        }
        data.word.split();
        // Release: whoever counts on a CPU from now on is added to a word that is split.
        self.cpus.store(data.cpus, Release);
    }

    fn counters(&self, data: &Data) -> Option<Counters> {
        let first = NonNull::new(self.counters.load(Relaxed))?;
        // SAFETY: `new` took them, for so many CPUs, and `drop_counters` forgets them.
        Some(unsafe { Counters::from_first(first, data.cpus) })
    }

    /// Under the lock, or where nobody is left; the counters are zero, and fenced off.
    fn drop_counters(&self, data: &Data) {
        if let Some(counters) = self.counters(data) {
            self.rseq.store(0, Relaxed);
            self.counters.store(ptr::null_mut(), Relaxed);
            // SAFETY: as this function's callers have made sure.
            unsafe { counters.give_back() };
        }
    }
}
