//! Faults for the loom models: places where the source relies on more than an ordering.

use super::models::*;

/// Places that rely on more than an ordering: on a lock, on one atomic step, on a test of the count, or
/// on a later step. A model fails without the lock, the test or the step.
pub const STEPS: &[Mutant] = &[
    Mutant {
        file: HANDLER,
        source: "match self.newest.compare_exchange(older, target, Release, Relaxed) {",
        mutated: "self.newest.store(target, Release); match Ok::<_, *mut Target>(older) {",
        test: LIST_MODEL,
        failure: LOST,
    },
    Mutant {
        file: SLOT,
        source: "let kref = self.kref.load(Relaxed);",
        mutated: "drop(guard); let guard = (); let kref = self.kref.load(Relaxed);",
        test: "slot::models::readers_with_the_lock_against_a_replace",
        failure: MISUSED,
    },
    Mutant {
        file: SLOT,
        source: "let is_alive = unsafe { kref.as_ref() }.map(Kref::raise);",
        mutated: "drop(guard); let guard = (); let is_alive = unsafe { kref.as_ref() }.map(Kref::raise);",
        test: "slot::models::readers_with_the_lock_against_a_replace",
        failure: MISUSED,
    },
    Mutant {
        file: SLOT,
        source: "let old = published.swap(next, Release);",
        mutated: "drop(guard); let guard = (); let old = published.swap(next, Release);",
        test: "slot::models::readers_with_the_lock_against_a_replace",
        failure: RACE,
    },
    Mutant {
        file: SLOT,
        source: "Some(old) if has_sequences && !fence() =>",
        mutated: "Some(old) if has_sequences && false =>",
        test: "slot::models::a_sequence_and_a_reader_with_the_lock_against_a_replace",
        failure: MISUSED,
    },
    Mutant {
        file: SLOT,
        source: "let has_sequences = Area::decided().is_some();",
        mutated: "let has_sequences = Area::decided().is_some() && !fence();",
        test: "slot::models::a_sequence_against_two_writers",
        failure: MISUSED,
    },
    Mutant {
        file: SLOT,
        source: "let _ = unsafe { old.as_ref() }.try_get();",
        mutated: "",
        test: "slot::models::a_sequence_against_a_replace_that_cannot_fence",
        failure: RELEASED,
    },
    Mutant {
        file: LOOKUP,
        source: "let then = kref.get_untold()?;",
        mutated: "kref.try_get()?; let then = Some(0);",
        test: "lookup_locked_against_a_release_that_takes_the_lock",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "if self.try_sub(1, true, by)? == Put::Done {",
        mutated: "if true { let put = self.try_sub(1, false, by)?; \
                   if put.is_last() { let _ = lock.lock(); } return Ok(put);",
        test: "lookup_locked_against_put_locked",
        failure: DEAD,
    },
    Mutant {
        file: LOOKUP,
        source: "let found = find();",
        mutated: "unsafe { lock.unlock() }; let found = find(); let _ = lock.lock();",
        test: "lookup_locked_against_put_locked",
        failure: RACE,
    },
    Mutant {
        file: WORD,
        source: "self.get_unless(n, |word| word & DEAD != 0 || word == 0)",
        mutated: "if self.is_dead() { return Ok(false); } self.tryget(n)",
        test: "percpu::models::tryget_live_against_a_kill",
        failure: LATE,
    },
    Mutant {
        file: WORD,
        source: "let old = self.0.fetch_add(parts - PERCPU, Relaxed);",
        mutated: "let old = self.0.fetch_sub(PERCPU, Relaxed); self.0.fetch_add(parts, Relaxed);",
        test: "percpu::models::a_user_on_the_word_against_a_kill",
        failure: RACE,
    },
    Mutant {
        file: MODE,
        source: "data.word.split();",
        mutated: "self.head.cpus.store(data.cpus, Release); data.word.split();",
        test: "percpu::models::a_user_against_a_switch_to_percpu",
        failure: WRONG,
    },
    Mutant {
        file: MODE,
        source: "if !fence() {",
        mutated: "if false {",
        test: "percpu::models::users_on_two_cpus_against_a_kill",
        failure: WRONG,
    },
    Mutant {
        file: MODE,
        source: "self.head.cpus.store(0, Relaxed);",
        mutated: "let fenced = fence(); self.head.cpus.store(0, Relaxed); let fence = || fenced;",
        test: "percpu::models::a_user_on_another_cpu_against_a_kill",
        failure: WRONG,
    },
    // A second fence, which does nothing, comes in place of the first one. The real one comes at the end.
    Mutant {
        file: MODE,
        source: "self.head.cpus.store(0, Relaxed);",
        mutated: "self.head.cpus.store(0, Relaxed); \
                   struct Late; impl Drop for Late { fn drop(&mut self) { fence(); } } \
                   let _late = Late; let fence = || true;",
        test: "percpu::models::users_on_two_cpus_against_a_kill",
        failure: WRONG,
    },
    // A fold although the kernel refused to fence.
    Mutant {
        file: MODE,
        source: "if !fence() {",
        mutated: "fence(); if false {",
        test: "percpu::models::tryget_live_against_a_kill_that_cannot_fence",
        failure: RACE,
    },
    Mutant {
        file: MODE,
        source: "return Err(ViolationKind::NotFenced);",
        mutated: "return Ok(());",
        test: "percpu::models::tryget_live_against_a_kill_that_cannot_fence",
        failure: "the refusal was not reported",
    },
    Mutant {
        file: MODE,
        source: "confirm.filter(|_| *whole != Err(ViolationKind::NotFenced))",
        mutated: "confirm.filter(|_| *whole != Ok(()) || true)",
        test: "percpu::models::tryget_live_against_a_kill_that_cannot_fence",
        failure: LATE,
    },
    Mutant {
        file: MODE,
        source: "let _guard = lock_for(ptr::from_ref(self).addr());",
        mutated: "drop(lock_for(ptr::from_ref(self).addr()));",
        test: "percpu::models::a_user_against_a_kill_and_switches",
        failure: WRONG,
    },
    Mutant {
        file: MODE,
        source: "data.word.is_dead() && !data.allows_reinit()",
        mutated: "data.word.is_dead()",
        test: "percpu::models::a_user_against_a_kill_and_a_resurrection",
        failure: NO_COUNTERS,
    },
    Mutant {
        file: MODE,
        source: "if atomic || data.word.is_dead()",
        mutated: "if atomic",
        test: "percpu::models::tryget_against_a_reinit",
        failure: MISUSED,
    },
    Mutant {
        file: COUNTERS,
        source: "counter.store(0, Relaxed);",
        mutated: "",
        test: "percpu::models::a_user_against_a_kill_and_a_resurrection",
        failure: WRONG,
    },
    Mutant {
        file: PERCPU_SLOT,
        source: "let percpu = self.percpu.load(Relaxed);",
        mutated: "drop(guard); let guard = (); let percpu = self.percpu.load(Relaxed);",
        test: "percpu::slot_models::a_sequence_against_the_last_put",
        failure: WRONG,
    },
    Mutant {
        file: PERCPU_SLOT,
        source: "let got = unsafe { percpu.as_ref() }.map(",
        mutated: "drop(guard); let guard = (); let got = unsafe { percpu.as_ref() }.map(",
        test: "percpu::slot_models::a_sequence_against_the_last_put",
        failure: WRONG,
    },
    Mutant {
        file: PERCPU_SLOT,
        source: "let _ = unsafe { old.as_ref() }.get_on_word(1);",
        mutated: "",
        test: "percpu::slot_models::a_sequence_against_the_last_put_that_cannot_fence",
        failure: RACE,
    },
    Mutant {
        file: COLD_PATH,
        source: "let counted = |value| without(more(value, 1)?, 1);",
        mutated: "self.take_back(1); let counted = |value| more(without(value, 0)?, 1);",
        test: "slot::models::a_sequence_against_dec_and_test",
        failure: MISUSED,
    },
    Mutant {
        file: COLD_PATH,
        source: "tracker::putting(self.address(), n, references(old), by);",
        mutated: "",
        test: "count::models::put_against_put",
        failure: PUT_WITHOUT_CALL,
    },
    // A stale lookup's get and put of another object, told.
    Mutant {
        file: COLD_PATH,
        source: "self.add_untold(1)",
        mutated: "self.add_slow(1, core::ptr::null()).map(|got| got.then_some(0))",
        test: "pool::models::tracked::a_stale_lookup_is_not_told",
        failure: TOLD,
    },
    Mutant {
        file: COLD_PATH,
        source: "let left = |s| match less(s, 1) {",
        mutated: "tracker::putting(self.address(), 1, 1, By::NOBODY); \
                   let left = |s| match less(s, 1) {",
        test: "pool::models::tracked::a_stale_lookup_is_not_told",
        failure: TOLD,
    },
    Mutant {
        file: POOL_LOOKUP,
        source: "Ok(then @ Some(_)) => tell(count, then, ptr::null()),\n            Err(kind) if !is_other",
        mutated: "Ok(Some(_)) => {}\n            Err(kind) if !is_other",
        test: "pool::models::tracked::a_stale_lookup_is_not_told",
        failure: TOLD,
    },
    Mutant {
        file: POOL_LOOKUP,
        source: "tell(count, None, By::PARKED.holder);",
        mutated: "",
        test: "pool::models::tracked::a_parked_reference_is_told",
        failure: TOLD,
    },
    Mutant {
        file: MISUSE,
        source: "self.stored.store(value, Release);",
        mutated: "let _ = value;",
        test: "count::gets_and_a_put_on_a_full_count",
        failure: NOT_SATURATED,
    },
    Mutant {
        file: POOL_LOOKUP,
        source: "        if generation_of(entry) != generation(handle) {\n            return self.give_back",
        mutated: "        if false {\n            return self.give_back",
        test: "pool::models::a_lookup_against_the_last_put_and_the_next_object",
        failure: OTHER_OBJECT,
    },
    // The reference on another object is not given back.
    Mutant {
        file: POOL_LOOKUP,
        source: "{\n            return self.give_back(entry, handle);",
        mutated: "{\n            return None;",
        test: "pool::models::a_stale_lookup_parks_the_next_object",
        failure: NEVER_RELEASED,
    },
    Mutant {
        file: POOL_LOOKUP,
        source: "self.park(entry);",
        mutated: "self.put(kref);",
        test: "pool::models::parked::an_object_is_parked_again",
        failure: "a lookup has released an object",
    },
    Mutant {
        file: POOL_LOOKUP,
        source: "unsafe { self.kref_of(entry).as_ref() }.acquire();",
        mutated: "",
        test: "pool::models::parked::an_object_is_parked_again",
        failure: NEVER_RELEASED,
    },
    Mutant {
        file: POOL_LOOKUP,
        source: "link.store(position, Relaxed);",
        mutated: "",
        test: "pool::models::parked::a_drain_against_a_lookup_that_parks",
        failure: LOST_ENTRY,
    },
    // The habit of kref_init() in a constructor: a count that is alive before the publish.
    Mutant {
        file: POOL,
        source: "if !count.is_dead() {\n            count.set_dead();\n        }",
        mutated: "count.init();",
        test: "pool::models::a_lookup_by_a_handle_that_is_known_before_the_publish",
        failure: "assertion `left == right` failed", // the object is never released
    },
    // The generation is raised after the entry is free.
    Mutant {
        file: FREE_LIST,
        source: "let Some(generation) = self.raise(entry) else { return };\n        let handle",
        mutated: "struct Late<'a>(&'a KrefPool, NonNull<Entry>); \
                   impl Drop for Late<'_> { fn drop(&mut self) { self.0.raise(self.1); } } \
                   let _late = Late(self, entry); \
                   let now = unsafe { entry.as_ref() }.generation.load(Relaxed); \
                   let Some(generation) = self.next_generation(now) else { return };\nlet handle",
        test: "pool::models::a_thread_takes_the_entries_of_another_cpu",
        failure: "look(pool, handle, ",
    },
    Mutant {
        file: STACKS,
        source: "let cpus = if self.layout.limit == 0 { cpus() } else { 1 };",
        mutated: "let cpus = cpus();",
        test: "pool::free_list_models::no_allocation_fails_below_the_limit_while_entries_move",
        failure: "failed below the limit",
    },
    // The free list of a pool.
    Mutant {
        file: FREE_LIST,
        source: "let Some(generation) = self.raise(entry) else { return };",
        mutated: "let generation = unsafe { entry.as_ref() }.generation.load(Relaxed);",
        test: "pool::free_list_models::an_empty_cache_takes_two_entries_or_neither",
        failure: GIVEN_TWICE,
    },
    Mutant {
        file: FREE_LIST,
        source: "if self.raise(next).is_some() {",
        mutated: "if true {",
        test: "pool::free_list_models::an_entry_that_nobody_used_does_not_come_back_as_it_was",
        failure: GIVEN_TWICE,
    },
    Mutant {
        file: FREE_LIST,
        source: "self.put_shared(first, last);",
        mutated: "self.put_shared(first, entry);",
        test: "pool::free_list_models::a_full_cache_gives_half_away",
        failure: LOST_ENTRY,
    },
    Mutant {
        file: FREE_LIST,
        source: "if cfg!(kref_sanitized) || self.layout.limit != 0 {",
        mutated: "if cfg!(kref_sanitized) {",
        test: "pool::free_list_models::no_allocation_fails_below_the_limit",
        failure: "on a `None` value",
    },
    Mutant {
        file: STACKS,
        source: "*to = next;\n                next = link_of(entry);",
        mutated: "*to = next;\n                next = if taken == 0 { link_of(entry) } else { next };",
        test: "pool::free_list_models::an_empty_cache_takes_two_entries_or_neither",
        failure: RACE,
    },
];
