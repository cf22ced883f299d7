//! The table's second part: places where the source relies on more than an ordering.

use super::table::*;

/// Places that rely on more than an ordering: on a lock, on one atomic step, on a test of the count, or
/// on a later step. A model fails without the lock, the test or the step.
pub const STEPS: &[Mutant] = &[
    Mutant {
        file: SLOT,
        source: "let kref = self.kref.load(Relaxed);",
        weakened: "drop(guard); let guard = (); let kref = self.kref.load(Relaxed);",
        model: "slot::models::readers_with_the_lock_against_a_replace",
        failure: MISUSED,
    },
    Mutant {
        file: SLOT,
        source: "let got = unsafe { kref.as_ref() }.map(Kref::try_get);",
        weakened: "drop(guard); let guard = (); let got = unsafe { kref.as_ref() }.map(Kref::try_get);",
        model: "slot::models::readers_with_the_lock_against_a_replace",
        failure: MISUSED,
    },
    Mutant {
        file: SLOT,
        source: "let old = published.swap(next, Release);",
        weakened: "drop(guard); let guard = (); let old = published.swap(next, Release);",
        model: "slot::models::readers_with_the_lock_against_a_replace",
        failure: RACE,
    },
    Mutant {
        file: SLOT,
        source: "Some(old) if has_sequences && !fence() =>",
        weakened: "Some(old) if has_sequences && false =>",
        model: "slot::models::a_sequence_and_a_reader_with_the_lock_against_a_replace",
        failure: MISUSED,
    },
    Mutant {
        file: SLOT,
        source: "let has_sequences = Area::decided().is_some();",
        weakened: "let has_sequences = Area::decided().is_some() && !fence();",
        model: "slot::models::a_sequence_against_two_writers",
        failure: MISUSED,
    },
    Mutant {
        file: SLOT,
        source: "let _ = unsafe { old.as_ref() }.try_get();",
        weakened: "",
        model: "slot::models::a_sequence_against_a_replace_that_cannot_fence",
        failure: RELEASED,
    },
    Mutant {
        file: LOOKUP,
        source: "kref.as_ref() }.try_get_unless_zero()",
        weakened: "kref.as_ref() }.try_get().map(|()| true)",
        model: "lookup_locked_against_a_release_that_takes_the_lock",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "if self.try_sub(1, true, by)? == Put::Done {",
        weakened: "if true { let put = self.try_sub(1, false, by)?; \
                   if put.is_last() { let _ = lock.lock(); } return Ok(put);",
        model: "lookup_locked_against_put_locked",
        failure: DEAD,
    },
    Mutant {
        file: LOOKUP,
        source: "let found = find();",
        weakened: "unsafe { lock.unlock() }; let found = find(); let _ = lock.lock();",
        model: "lookup_locked_against_put_locked",
        failure: RACE,
    },
    Mutant {
        file: WORD,
        source: "self.get_unless(n, |word| word & DEAD != 0 || word == 0)",
        weakened: "if self.is_dead() { return Ok(false); } self.tryget(n)",
        model: "percpu::models::tryget_live_against_a_kill",
        failure: LATE,
    },
    Mutant {
        file: WORD,
        source: "let old = self.0.fetch_add(parts - PERCPU, Relaxed);",
        weakened: "let old = self.0.fetch_sub(PERCPU, Relaxed); self.0.fetch_add(parts, Relaxed);",
        model: "percpu::models::a_user_on_the_word_against_a_kill",
        failure: RACE,
    },
    Mutant {
        file: MODE,
        source: "data.word.split();",
        weakened: "self.head.cpus.store(data.cpus, Release); data.word.split();",
        model: "percpu::models::a_user_against_a_switch_to_percpu",
        failure: WRONG,
    },
    Mutant {
        file: MODE,
        source: "if !fence() {",
        weakened: "if false {",
        model: "percpu::models::users_on_two_cpus_against_a_kill",
        failure: WRONG,
    },
    Mutant {
        file: MODE,
        source: "self.head.cpus.store(0, Relaxed);",
        weakened: "let fenced = fence(); self.head.cpus.store(0, Relaxed); let fence = || fenced;",
        model: "percpu::models::a_user_on_another_cpu_against_a_kill",
        failure: WRONG,
    },
    // A second fence, which does nothing, comes in place of the first one. The real one comes at the end.
    Mutant {
        file: MODE,
        source: "self.head.cpus.store(0, Relaxed);",
        weakened: "self.head.cpus.store(0, Relaxed); \
                   struct Late; impl Drop for Late { fn drop(&mut self) { fence(); } } \
                   let _late = Late; let fence = || true;",
        model: "percpu::models::users_on_two_cpus_against_a_kill",
        failure: WRONG,
    },
    // A fold although the kernel refused to fence.
    Mutant {
        file: MODE,
        source: "if !fence() {",
        weakened: "fence(); if false {",
        model: "percpu::models::tryget_live_against_a_kill_that_cannot_fence",
        failure: RACE,
    },
    Mutant {
        file: MODE,
        source: "return Err(ViolationKind::NotFenced);",
        weakened: "return Ok(());",
        model: "percpu::models::tryget_live_against_a_kill_that_cannot_fence",
        failure: "the refusal was not reported",
    },
    Mutant {
        file: MODE,
        source: "confirm.filter(|_| *whole != Err(ViolationKind::NotFenced))",
        weakened: "confirm.filter(|_| *whole != Ok(()) || true)",
        model: "percpu::models::tryget_live_against_a_kill_that_cannot_fence",
        failure: LATE,
    },
    Mutant {
        file: MODE,
        source: "let _guard = lock_for(ptr::from_ref(self).addr());",
        weakened: "drop(lock_for(ptr::from_ref(self).addr()));",
        model: "percpu::models::a_user_against_a_kill_and_switches",
        failure: WRONG,
    },
    Mutant {
        file: MODE,
        source: "data.word.is_dead() && !data.allows_reinit()",
        weakened: "data.word.is_dead()",
        model: "percpu::models::a_user_against_a_kill_and_a_resurrection",
        failure: NO_COUNTERS,
    },
    Mutant {
        file: MODE,
        source: "if atomic || data.word.is_dead()",
        weakened: "if atomic",
        model: "percpu::models::tryget_against_a_reinit",
        failure: MISUSED,
    },
    Mutant {
        file: COUNTERS,
        source: "counter.store(0, Relaxed);",
        weakened: "",
        model: "percpu::models::a_user_against_a_kill_and_a_resurrection",
        failure: WRONG,
    },
    Mutant {
        file: PERCPU_SLOT,
        source: "let percpu = self.percpu.load(Relaxed);",
        weakened: "drop(guard); let guard = (); let percpu = self.percpu.load(Relaxed);",
        model: "percpu::slot_models::a_sequence_against_the_last_put",
        failure: WRONG,
    },
    Mutant {
        file: PERCPU_SLOT,
        source: "let got = unsafe { percpu.as_ref() }.map(",
        weakened: "drop(guard); let guard = (); let got = unsafe { percpu.as_ref() }.map(",
        model: "percpu::slot_models::a_sequence_against_the_last_put",
        failure: WRONG,
    },
    Mutant {
        file: PERCPU_SLOT,
        source: "let _ = unsafe { old.as_ref() }.get_on_word(1);",
        weakened: "",
        model: "percpu::slot_models::a_sequence_against_the_last_put_that_cannot_fence",
        failure: RACE,
    },
    Mutant {
        file: COLD_PATH,
        source: "let counted = |value| without(more(value, 1)?, 1);",
        weakened: "self.take_back(1); let counted = |value| more(without(value, 0)?, 1);",
        model: "slot::models::a_sequence_against_dec_and_test",
        failure: MISUSED,
    },
    Mutant {
        file: COLD_PATH,
        source: "tracker::putting(self.address(), n, references(old), by);",
        weakened: "",
        model: "count::models::put_against_put",
        failure: PUT_WITHOUT_CALL,
    },
    Mutant {
        file: MISUSE,
        source: "self.stored.store(SATURATED_AT, Relaxed);",
        weakened: "",
        model: "count::gets_and_a_put_on_a_full_count",
        failure: NOT_SATURATED,
    },
];
