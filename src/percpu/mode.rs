//! Changes between percpu mode and atomic mode: kill, resurrect, switch and exit.
//!
//! A change holds a striped lock, so that two changes do not run at the same time. A get or a put does
//! not take the lock.

use core::ptr::{self, NonNull};

use super::counters::Counters;
use super::tracked::TRACKED;
use super::word::Word;
use super::{ALLOW_REINIT, Data, INIT_ATOMIC, PercpuFn, PercpuRef};
use crate::kind::{Caller, ViolationKind};
use crate::report::{or_report, report};
use crate::rseq::fence;
use crate::sys::striped::lock_for;
use crate::sys::sync::Ordering::{Relaxed, Release};
use crate::tracker::{By, PercpuEvent};

impl PercpuRef {
    /// Kills the percpu reference: from now on [`tryget_live`](Self::tryget_live) fails, and the last
    /// put calls the release function. Then calls `confirm`, and then gives the initial reference back.
    ///
    /// # Safety
    /// The caller holds the initial reference and gives it up. The percpu reference is inside an object
    /// of the type that its release function expects. `confirm` may be called with the percpu
    /// reference.
    #[track_caller]
    pub unsafe fn kill(this: NonNull<Self>, confirm: Option<PercpuFn>) {
        // SAFETY: as promised.
        unsafe { Self::kill_from(this, confirm, Caller::here()) };
    }

    /// # Safety
    /// As for [`kill`](Self::kill).
    pub(crate) unsafe fn kill_from(this: NonNull<Self>, confirm: Option<PercpuFn>, caller: Caller) {
        // SAFETY: the initial reference keeps the object alive until the put.
        let percpu = unsafe { this.as_ref() };
        let killed = percpu.change(|data| {
            if data.word.kill() {
                percpu.tell_if_tracked(data, PercpuEvent::Kill);
                Ok(percpu.go_atomic(data))
            } else {
                Err(ViolationKind::KilledTwice)
            }
        });
        let whole = killed.and_then(|whole| {
            // SAFETY: as promised; and the initial reference keeps the object alive.
            unsafe { Self::confirm(this, confirm, &whole) };
            whole
        });
        match whole {
            // SAFETY: this put gives the initial reference back, as promised.
            Ok(()) => unsafe { Self::give_back(this, 1, By::INITIAL, caller) },
            Err(kind) => report(kind, this.as_ptr().cast(), caller),
        }
    }

    /// Calls `confirm`, unless the kernel refused the fence. In that case a sequence may still take a
    /// reference, so there is nothing to confirm.
    ///
    /// # Safety
    /// `this` is valid, and `confirm` may be called with it.
    unsafe fn confirm(
        this: NonNull<Self>,
        confirm: Option<PercpuFn>,
        whole: &Result<(), ViolationKind>,
    ) {
        if let Some(confirm) = confirm.filter(|_| *whole != Err(ViolationKind::NotFenced)) {
            // SAFETY: as promised.
            unsafe { confirm(this) };
        }
    }

    /// Changes to atomic mode, until [`switch_to_percpu`](Self::switch_to_percpu).
    #[track_caller]
    pub fn switch_to_atomic(&self) {
        // SAFETY: there is no `confirm`.
        unsafe { self.switch_to_atomic_from(None, Caller::here()) };
    }

    /// [`switch_to_atomic`](Self::switch_to_atomic), and then calls `confirm`.
    ///
    /// # Safety
    /// `confirm` may be called with this percpu reference.
    pub(crate) unsafe fn switch_to_atomic_from(&self, confirm: Option<PercpuFn>, caller: Caller) {
        let whole = self.change(|data| {
            data.flags.fetch_or(INIT_ATOMIC, Relaxed);
            self.go_atomic(data)
        });
        // SAFETY: as promised; and the caller's reference keeps the object alive.
        unsafe { Self::confirm(NonNull::from(self), confirm, &whole) };
        or_report(whole, self, (), caller);
    }

    /// Changes to percpu mode: at once, or, if the percpu reference is dead, when it is resurrected.
    #[track_caller]
    pub fn switch_to_percpu(&self) {
        self.switch_to_percpu_from(Caller::here());
    }

    pub(crate) fn switch_to_percpu_from(&self, caller: Caller) {
        let allowed = self.change(|data| {
            let flags = data.flags.load(Relaxed);
            // Tests the flags and not the word: without rseq the word is never split, and that is no
            // misuse.
            if flags & (INIT_ATOMIC | ALLOW_REINIT) == INIT_ATOMIC && !data.word.is_dead() {
                return Err(ViolationKind::BadReinit);
            }
            data.flags.fetch_and(!INIT_ATOMIC, Relaxed);
            self.go_percpu(data);
            Ok(())
        });
        or_report(allowed, self, (), caller);
    }

    /// Makes a killed percpu reference alive again, with a new initial reference, which the caller holds.
    #[track_caller]
    pub fn resurrect(&self) {
        self.resurrect_from(Caller::here());
    }

    pub(crate) fn resurrect_from(&self, caller: Caller) {
        or_report(self.revive(|_| true), self, (), caller);
    }

    /// [`resurrect`](Self::resurrect) for a percpu reference that was released: no reference is left.
    #[track_caller]
    pub fn reinit(&self) {
        self.reinit_from(Caller::here());
    }

    pub(crate) fn reinit_from(&self, caller: Caller) {
        or_report(self.revive(Word::is_zero), self, (), caller);
    }

    /// Resurrects if the word is dead. As in the kernel, this happens even if `is_right` returns
    /// `false` or the flags do not allow it; but then the result is a violation.
    fn revive(&self, is_right: impl FnOnce(&Word) -> bool) -> Result<(), ViolationKind> {
        self.change(|data| {
            if !data.word.is_dead() {
                return Err(ViolationKind::BadReinit);
            }
            let right = is_right(&data.word) && data.allows_reinit();
            // Before another thread can take a reference, of which the tracker learns too.
            self.tell_if_tracked(data, PercpuEvent::Revive);
            data.word.resurrect();
            self.go_percpu(data);
            if right { Ok(()) } else { Err(ViolationKind::BadReinit) }
        })
    }

    /// Frees what `new` has allocated. If somebody may still hold a reference, reports that and frees
    /// nothing. No other thread may access the percpu reference any more. In Rust, the drop does this.
    pub(crate) fn exit(&self, caller: Caller) {
        let Some(data) = self.data() else { return };
        let ended = self.change(|data| {
            self.go_atomic(data)?;
            // The caller may still hold the initial reference, if the percpu reference was never killed.
            let initial = isize::from(!data.word.is_dead());
            let alive = data.word.is_split() || !(0..=initial).contains(&data.word.count());
            if alive { Err(ViolationKind::ExitWhileAlive) } else { Ok(()) }
        });
        match ended {
            Ok(()) => {
                self.tell_if_tracked(data, PercpuEvent::Exit);
                self.drop_counters(data);
                if let Some(data) = NonNull::new(self.data.swap(ptr::null_mut(), Relaxed)) {
                    // SAFETY: allocated in `new`. No other thread accesses the percpu reference any more.
                    unsafe { Data::free(data) };
                }
            }
            Err(kind) => report(kind, ptr::from_ref(self).cast(), caller),
        }
    }

    /// Runs `change` under the lock, so that no other thread changes the mode meanwhile.
    fn change<T>(
        &self,
        change: impl FnOnce(&Data) -> Result<T, ViolationKind>,
    ) -> Result<T, ViolationKind> {
        let Some(data) = self.data() else { return Err(ViolationKind::GetOnZero) };
        let _guard = lock_for(ptr::from_ref(self).addr());
        change(data)
    }

    /// Changes to atomic mode: adds the counters to the word. The caller holds the lock.
    fn go_atomic(&self, data: &Data) -> Result<(), ViolationKind> {
        if !data.word.is_split() {
            return Ok(());
        }
        // Relaxed: the fence orders the store.
        self.head.cpus.store(0, Relaxed);
        if !fence() {
            // A sequence may still add to a counter, so nobody can know the count. PERCPU stays set, so
            // the last reference is never found and the object leaks.
            return Err(ViolationKind::NotFenced);
        }
        let Some(counters) = self.counters(data) else { return Ok(()) };
        // SAFETY: after the fence every sequence reads `cpus` as zero, so none adds to the counters.
        let whole = data.word.fold(unsafe { counters.take_sum() });
        if data.word.is_dead() && !data.allows_reinit() {
            self.drop_counters(data);
        }
        whole
    }

    /// Changes to percpu mode, if the flags allow it, the percpu reference is alive and there are
    /// counters. The caller holds the lock, or no other thread can reach the percpu reference yet.
    pub(super) fn go_percpu(&self, data: &Data) {
        let atomic = data.flags.load(Relaxed) & (INIT_ATOMIC | TRACKED) != 0;
        if atomic || data.word.is_dead() || data.word.is_split() || self.counters(data).is_none() {
            return;
        }
        data.word.split();
        // Release: a thread that reads this number and adds to a counter sees PERCPU in the word.
        self.head.cpus.store(data.cpus, Release);
    }

    fn counters(&self, data: &Data) -> Option<Counters> {
        let first = NonNull::new(self.head.counters.load(Relaxed))?;
        // SAFETY: `new` took the counters for this number of CPUs. When `drop_counters` gives them
        // back, it clears the pointer.
        Some(unsafe { Counters::from_first(first, data.cpus) })
    }

    /// Gives the counters back. The caller holds the lock, or no other thread uses the percpu reference
    /// any more. The counters are zero, and since the last fence no sequence uses them.
    fn drop_counters(&self, data: &Data) {
        if let Some(counters) = self.counters(data) {
            self.head.rseq.store(0, Relaxed);
            self.head.counters.store(ptr::null_mut(), Relaxed);
            // SAFETY: the counters are zero and no sequence uses them, as the caller guarantees.
            unsafe { counters.give_back() };
        }
    }
}
