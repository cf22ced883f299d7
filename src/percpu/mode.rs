//! Changes of the mode: death, return, and end of a percpu reference.
//!
//! A striped lock makes the changes one after another. A get or put does not take the lock.

use core::ptr::{self, NonNull};

use super::counters::Counters;
use super::word::Word;
use super::{Data, INIT_ATOMIC, PercpuFn, PercpuRef};
use crate::kind::{Caller, Violation};
use crate::report::{or_report, report};
use crate::rseq::fence;
use crate::sys::striped::lock_for;
use crate::sys::sync::Ordering::{Relaxed, Release};

impl PercpuRef {
    /// Kills the reference: from now on [`tryget_live`](Self::tryget_live) fails, and the last put
    /// releases. Then calls `confirm`, and gives the initial reference back.
    ///
    /// # Safety
    /// The caller owns the initial reference and gives it up. The reference lies where its release
    /// function expects it. `confirm` may be called with it.
    #[track_caller]
    pub unsafe fn kill(this: NonNull<Self>, confirm: Option<PercpuFn>) {
        // SAFETY: as promised.
        unsafe { Self::kill_from(this, confirm, Caller::here()) };
    }

    /// # Safety
    /// As for [`kill`](Self::kill).
    pub(crate) unsafe fn kill_from(this: NonNull<Self>, confirm: Option<PercpuFn>, caller: Caller) {
        // SAFETY: the initial reference keeps the object alive up to the put.
        let percpu = unsafe { this.as_ref() };
        let killed = percpu.change(|data| {
            if data.word.kill() { Ok(percpu.go_atomic(data)) } else { Err(Violation::KilledTwice) }
        });
        let whole = killed.and_then(|whole| {
            // SAFETY: as promised; alive, by the initial reference.
            unsafe { Self::confirm(this, confirm, &whole) };
            whole
        });
        match whole {
            // SAFETY: the initial reference, as promised.
            Ok(()) => unsafe { Self::put_slow(this, 1, caller) },
            Err(kind) => report(kind, this.as_ptr().cast(), caller),
        }
    }

    /// Calls `confirm`, unless the fence was refused: then a sequence may still succeed, and there is
    /// nothing to confirm.
    ///
    /// # Safety
    /// `this` is alive, and `confirm` may be called with it.
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
    #[track_caller]
    pub fn switch_to_atomic(&self) {
        // SAFETY: there is no function to call.
        unsafe { self.switch_to_atomic_from(None, Caller::here()) };
    }

    /// [`switch_to_atomic`](Self::switch_to_atomic), then a call of `confirm`.
    ///
    /// # Safety
    /// `confirm` may be called with this reference.
    pub(crate) unsafe fn switch_to_atomic_from(&self, confirm: Option<PercpuFn>, caller: Caller) {
        let whole = self.change(|data| {
            data.flags.store(data.flags.load(Relaxed) | INIT_ATOMIC, Relaxed);
            self.go_atomic(data)
        });
        // SAFETY: as promised; alive, by the caller's reference.
        unsafe { Self::confirm(NonNull::from(self), confirm, &whole) };
        or_report(whole, self, (), caller);
    }

    /// Counts on each CPU again, as soon as the reference is alive.
    #[track_caller]
    pub fn switch_to_percpu(&self) {
        self.switch_to_percpu_from(Caller::here());
    }

    pub(crate) fn switch_to_percpu_from(&self, caller: Caller) {
        let allowed = self.change(|data| {
            data.flags.store(data.flags.load(Relaxed) & !INIT_ATOMIC, Relaxed);
            if !data.allows_reinit() && !data.word.is_split() && !data.word.is_dead() {
                return Err(Violation::BadReinit);
            }
            self.go_percpu(data);
            Ok(())
        });
        or_report(allowed, self, (), caller);
    }

    /// Makes a killed reference alive again, with a new initial reference.
    #[track_caller]
    pub fn resurrect(&self) {
        self.resurrect_from(Caller::here());
    }

    pub(crate) fn resurrect_from(&self, caller: Caller) {
        or_report(self.revive(|_| true), self, (), caller);
    }

    /// [`resurrect`](Self::resurrect) for a reference whose last put was.
    #[track_caller]
    pub fn reinit(&self) {
        self.reinit_from(Caller::here());
    }

    pub(crate) fn reinit_from(&self, caller: Caller) {
        or_report(self.revive(Word::is_zero), self, (), caller);
    }

    /// As in the kernel, a wrong revival still happens if it can. The violation is reported afterwards.
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

    /// Frees what `new` allocated. If a reference may still be held, reports that and frees nothing. No
    /// other thread may use the reference, not even to look at it. In Rust, a drop does this.
    pub(crate) fn exit(&self, caller: Caller) {
        let Some(data) = self.data() else { return };
        let ended = self.change(|data| {
            self.go_atomic(data)?;
            // The initial reference of a reference that was never killed is the caller's.
            let initial = isize::from(!data.word.is_dead());
            let alive = data.word.is_split() || !(0..=initial).contains(&data.word.count());
            if alive { Err(Violation::ExitWhileAlive) } else { Ok(()) }
        });
        match ended {
            Ok(()) => {
                self.drop_counters(data);
                if let Some(data) = NonNull::new(self.data.swap(ptr::null_mut(), Relaxed)) {
                    // SAFETY: allocated in `new`; no reference is left, so no thread uses the data.
                    unsafe { Data::free(data) };
                }
            }
            Err(kind) => report(kind, ptr::from_ref(self).cast(), caller),
        }
    }

    /// Runs `change` while no other thread changes the mode.
    fn change<T>(
        &self,
        change: impl FnOnce(&Data) -> Result<T, Violation>,
    ) -> Result<T, Violation> {
        let Some(data) = self.data() else { return Err(Violation::GetOnZero) };
        let _guard = lock_for(ptr::from_ref(self).addr());
        change(data)
    }

    /// Brings the whole count into the word. Under the lock.
    fn go_atomic(&self, data: &Data) -> Result<(), Violation> {
        if !data.word.is_split() {
            return Ok(());
        }
        // Relaxed: the fence orders the store.
        self.head.cpus.store(0, Relaxed);
        if !fence() {
            // A sequence may still add to a counter: nobody can know the count, so it is never zero.
            return Err(Violation::NotFenced);
        }
        let Some(counters) = self.counters(data) else { return Ok(()) };
        // SAFETY: after the fence every sequence reads zero in `cpus`.
        let whole = data.word.fold(unsafe { counters.take_sum() });
        if data.word.is_dead() && !data.allows_reinit() {
            self.drop_counters(data);
        }
        whole
    }

    /// Splits the count, if that is allowed and there are counters. Under the lock.
    pub(super) fn go_percpu(&self, data: &Data) {
        let atomic = data.flags.load(Relaxed) & INIT_ATOMIC != 0;
        if atomic || data.word.is_dead() || data.word.is_split() || self.counters(data).is_none() {
            return;
        }
        data.word.split();
        // Release: a sequence that reads the number adds to counters whose word is split already.
        self.head.cpus.store(data.cpus, Release);
    }

    fn counters(&self, data: &Data) -> Option<Counters> {
        let first = NonNull::new(self.head.counters.load(Relaxed))?;
        // SAFETY: `new` took the counters for this number of CPUs. `drop_counters` clears the pointer.
        Some(unsafe { Counters::from_first(first, data.cpus) })
    }

    /// Gives the counters back. Under the lock, or when no thread uses the reference any more. The
    /// counters are zero, and no sequence uses them since the last fence.
    fn drop_counters(&self, data: &Data) {
        if let Some(counters) = self.counters(data) {
            self.head.rseq.store(0, Relaxed);
            self.head.counters.store(ptr::null_mut(), Relaxed);
            // SAFETY: the callers of this function have made sure of that.
            unsafe { counters.give_back() };
        }
    }
}
