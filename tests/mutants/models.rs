//! Faults for the loom models: every memory ordering that is stronger than relaxed, made relaxed.

/// A small fault in the source, and the test that must find it.
pub struct Mutant {
    pub file: &'static str,
    /// Occurs once in the file.
    pub source: &'static str,
    /// Takes the place of `source`.
    pub mutated: &'static str,
    /// A loom model, or a C program of c-tests. Must fail.
    pub test: &'static str,
    /// A part of the message with which the test fails.
    pub failure: &'static str,
}

pub const COUNT: &str = "src/count/mod.rs";
pub const GET: &str = "src/count/get.rs";
pub const PUT: &str = "src/count/put.rs";
pub const COLD_PATH: &str = "src/count/cold_path.rs";
pub const MISUSE: &str = "src/count/misuse.rs";
pub const TRACKER: &str = "src/tracker/mod.rs";
pub const HANDLER: &str = "src/report/handler.rs";
pub const SLOT: &str = "src/slot/mod.rs";
pub const LOOKUP: &str = "src/lookup.rs";
pub const WORD: &str = "src/percpu/word.rs";
pub const MODE: &str = "src/percpu/mode.rs";
pub const COUNTERS: &str = "src/percpu/counters.rs";
pub const PERCPU_SLOT: &str = "src/percpu/slot.rs";
pub const KREF: &str = "src/kref.rs";
pub const POOL: &str = "src/pool/mod.rs";
pub const POOL_ENTRIES: &str = "src/pool/entries.rs";
pub const POOL_LOOKUP: &str = "src/pool/lookup.rs";
pub const FREE_LIST: &str = "src/pool/free_list.rs";
pub const STACKS: &str = "src/pool/stacks.rs";

pub const PAIR_MODEL: &str = "report::handler::tests::a_reader_sees_a_complete_pair";

pub const LIST_MODEL: &str = "report::handler::tests::two_threads_add_to_one_list";

pub const TABLE_MODEL: &str = "tracker::tests::a_caller_of_the_table_sees_what_came_before_the_set";

/// loom's message: nothing orders two accesses, one of which is a write.
pub const RACE: &str = "Causality violation";
/// A reader of a slot took a reference after the last put, or two threads made the last put.
pub const MISUSED: &str = "a count was misused";
/// The kernel refused to fence, and the old object was released, although a sequence may still come.
pub const RELEASED: &str = "released under a sequence";
/// The last put came before its thread had the lock, so the table lists a dead object.
pub const DEAD: &str = "what is listed is alive";
pub const LATE: &str = "taken after the kill";
/// A thread holds a reference on a counter, and the word says that there is no reference.
pub const ZERO: &str = "zero while a reference is held";
/// A percpu reference was released too early, or never.
pub const WRONG: &str = "the count is wrong";
pub const NO_COUNTERS: &str = "the counters are gone";
pub const NOT_SATURATED: &str = "not saturated";
/// One of two pairs of a handler and a context, which two threads add, is not in the list.
pub const LOST: &str = "a lost pair";
/// A handle that is stale found the next object.
pub const OTHER_OBJECT: &str = "a handle found another object";
/// An object of a pool is alive, although nobody holds a reference on it.
pub const NEVER_RELEASED: &str = "parked and never released";
/// Two threads have the same entry of a pool.
pub const GIVEN_TWICE: &str = "given twice";
/// An entry of a pool was freed too early, or twice. Or it is neither in use nor free.
pub const LOST_ENTRY: &str = "an entry is lost";
/// The tracker of a pool's objects learned of a get or put too many, or too few.
pub const TOLD: &str = "gets, puts and ends that were told";
/// A put gave back a reference and did not call the tracker.
pub const PUT_WITHOUT_CALL: &str = "a put without a call";

pub const ORDERINGS: &[Mutant] = &[
    Mutant {
        file: COUNT,
        source: "self.stored.store(value, Release)",
        mutated: "self.stored.store(value, Relaxed)",
        test: "count::inc_not_zero_acquire_against_set_release",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "compare_exchange_weak(old, new, Release, Relaxed)",
        mutated: "compare_exchange_weak(old, new, Relaxed, Relaxed)",
        test: "count::sub_and_test_against_dec_and_test",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "stored.fetch_sub(1, Release)",
        mutated: "stored.fetch_sub(1, crate::sys::sync::Ordering::Relaxed)",
        test: "put_against_put",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "let _ = self.stored.load(Acquire);",
        mutated: "let _ = self.stored.load(Relaxed);",
        test: "put_against_put",
        failure: RACE,
    },
    Mutant {
        file: GET,
        source: "or_report(self.try_add(n, Acquire), self, true, caller)",
        mutated: "or_report(self.try_add(n, Relaxed), self, true, caller)",
        test: "count::inc_not_zero_acquire_against_a_put_that_is_not_the_last",
        failure: RACE,
    },
    Mutant {
        file: COUNT,
        source: "references(self.stored.load(Acquire)) == 1",
        mutated: "references(self.stored.load(Relaxed)) == 1",
        test: "count::is_one_against_a_put_that_is_not_the_last",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "compare_exchange(ONE, DEAD, AcqRel, Relaxed)",
        mutated: "compare_exchange(ONE, DEAD, Release, Relaxed)",
        test: "count::dec_if_one_against_dec_and_test",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "compare_exchange(ONE, DEAD, AcqRel, Relaxed)",
        mutated: "compare_exchange(ONE, DEAD, Acquire, Relaxed)",
        test: "count::dec_if_one_against_a_reader_of_zero",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "compare_exchange_weak(old, new, Release, Relaxed)",
        mutated: "compare_exchange_weak(old, new, Relaxed, Relaxed)",
        test: "count::dec_not_one_against_dec_and_test",
        failure: RACE,
    },
    Mutant {
        file: COLD_PATH,
        source: "compare_exchange_weak(old, next, Acquire, Relaxed)",
        mutated: "compare_exchange_weak(old, next, Relaxed, Relaxed)",
        test: "count::models::inc_not_zero_acquire_against_a_put_that_is_not_the_last",
        failure: RACE,
    },
    Mutant {
        file: COLD_PATH,
        source: "compare_exchange_weak(old, new, Release, Relaxed)",
        mutated: "compare_exchange_weak(old, new, Relaxed, Relaxed)",
        test: "count::models::sub_and_test_against_sub_and_test",
        failure: RACE,
    },
    Mutant {
        file: COLD_PATH,
        source: "compare_exchange(old, DEAD, Release, Relaxed)",
        mutated: "compare_exchange(old, DEAD, Relaxed, Relaxed)",
        test: "count::models::dec_if_one_against_a_reader_of_zero",
        failure: RACE,
    },
    Mutant {
        file: COLD_PATH,
        source: "self.acquire_last();\n        tsan::acquire(self);",
        mutated: "",
        test: "count::models::put_against_put",
        failure: RACE,
    },
    Mutant {
        file: TRACKER,
        source: "fence(Acquire);",
        mutated: "",
        test: "pool::models::tracked::a_lookup_sees_that_a_tracker_was_set",
        failure: MISUSED,
    },
    Mutant {
        file: TRACKER,
        source: "self.0.store(tracker.cast_mut(), Release)",
        mutated: "self.0.store(tracker.cast_mut(), crate::sys::sync::Ordering::Relaxed)",
        test: TABLE_MODEL,
        failure: RACE,
    },
    Mutant {
        file: TRACKER,
        source: "self.0.load(Acquire)",
        mutated: "self.0.load(crate::sys::sync::Ordering::Relaxed)",
        test: TABLE_MODEL,
        failure: RACE,
    },
    Mutant {
        file: HANDLER,
        source: "self.current.store(target.cast_mut(), Release)",
        mutated: "self.current.store(target.cast_mut(), Relaxed)",
        test: PAIR_MODEL,
        failure: RACE,
    },
    Mutant {
        file: HANDLER,
        source: "self.current.load(Acquire)",
        mutated: "self.current.load(Relaxed)",
        test: PAIR_MODEL,
        failure: RACE,
    },
    Mutant {
        file: HANDLER,
        source: "self.newest.load(Acquire).cast_const()",
        mutated: "self.newest.load(Relaxed).cast_const()",
        test: LIST_MODEL,
        failure: RACE,
    },
    Mutant {
        file: HANDLER,
        source: "compare_exchange(older, target, Release, Relaxed)",
        mutated: "compare_exchange(older, target, Relaxed, Relaxed)",
        test: LIST_MODEL,
        failure: RACE,
    },
    Mutant {
        file: SLOT,
        source: "published.swap(next, Release)",
        mutated: "published.swap(next, Relaxed)",
        test: "slot::models::sequences_against_a_replace",
        failure: RACE,
    },
    Mutant {
        file: WORD,
        source: "fetch_sub(n as isize * ONE, Release)",
        mutated: "fetch_sub(n as isize * ONE, Relaxed)",
        test: "percpu::models::a_user_on_the_word_against_a_kill",
        failure: RACE,
    },
    Mutant {
        file: WORD,
        source: "let _ = self.0.load(Acquire);",
        mutated: "",
        test: "percpu::models::a_user_on_the_word_against_a_kill",
        failure: RACE,
    },
    Mutant {
        file: WORD,
        source: "self.0.load(Acquire) / ONE",
        mutated: "self.0.load(Relaxed) / ONE",
        test: "percpu::word::tests::a_thread_that_finds_one_reference_may_free_the_object",
        failure: RACE,
    },
    Mutant {
        file: WORD,
        source: "self.0.load(Acquire) & !DEAD == 0",
        mutated: "self.0.load(Relaxed) & !DEAD == 0",
        test: "percpu::word::tests::a_thread_that_finds_zero_may_reuse_the_object",
        failure: RACE,
    },
    Mutant {
        file: MODE,
        source: "self.head.cpus.store(data.cpus, Release)",
        mutated: "self.head.cpus.store(data.cpus, Relaxed)",
        test: "percpu::models::tryget_against_a_reinit",
        failure: ZERO,
    },
    Mutant {
        file: COUNT,
        source: "self.stored.store(one, Release)",
        mutated: "self.stored.store(one, Relaxed)",
        test: "pool::models::a_lookup_by_a_handle_that_is_known_before_the_publish",
        failure: RACE,
    },
    Mutant {
        file: KREF,
        source: "self.refcount.add_alive(1, Acquire)",
        mutated: "self.refcount.add_alive(1, crate::sys::sync::Ordering::Relaxed)",
        test: "pool::models::a_lookup_against_the_last_put_and_the_next_object",
        failure: RACE,
    },
    Mutant {
        file: POOL_ENTRIES,
        source: "self.chunks.get(chunk)?.load(Acquire)",
        mutated: "self.chunks.get(chunk)?.load(Relaxed)",
        test: "pool::models::a_thread_takes_the_entries_of_another_cpu",
        failure: RACE,
    },
    Mutant {
        file: POOL_ENTRIES,
        source: "compare_exchange(0, base.wrapping_add(1), Release, Relaxed)",
        mutated: "compare_exchange(0, base.wrapping_add(1), Relaxed, Relaxed)",
        test: "pool::models::a_thread_takes_the_entries_of_another_cpu",
        failure: RACE,
    },
    Mutant {
        file: POOL_LOOKUP,
        source: "compare_exchange_weak(first, position, Release, Relaxed)",
        mutated: "compare_exchange_weak(first, position, Relaxed, Relaxed)",
        test: "pool::models::parked::a_drain_against_two_lookups_that_park",
        failure: NEVER_RELEASED,
    },
    Mutant {
        file: POOL_LOOKUP,
        source: "self.parked.swap(0, Acquire)",
        mutated: "self.parked.swap(0, Relaxed)",
        test: "pool::models::parked::a_drain_against_a_lookup_that_parks",
        failure: NEVER_RELEASED,
    },
    Mutant {
        file: MISUSE,
        source: "self.stored.store(value, Release)",
        mutated: "self.stored.store(value, crate::sys::sync::Ordering::Relaxed)",
        test: "pool::models::a_lookup_against_a_misuse_of_the_next_object",
        failure: RACE,
    },
    // The free list of a pool.
    Mutant {
        file: FREE_LIST,
        source: "NonNull::new(self.stacks.load(Acquire))?.cast()",
        mutated: "NonNull::new(self.stacks.load(Relaxed))?.cast()",
        test: "pool::free_list_models::two_threads_make_the_pool",
        failure: RACE,
    },
    Mutant {
        file: STACKS,
        source: "compare_exchange_weak(top, first, Release, Relaxed)",
        mutated: "compare_exchange_weak(top, first, Relaxed, Relaxed)",
        test: "pool::free_list_models::a_full_cache_gives_half_away",
        failure: LOST_ENTRY,
    },
    Mutant {
        file: STACKS,
        source: "let mut top = stack.head.load(Acquire);",
        mutated: "let mut top = stack.head.load(Relaxed);",
        test: "pool::free_list_models::an_empty_cache_takes_two_entries_or_neither",
        failure: RACE,
    },
    Mutant {
        file: STACKS,
        source: "compare_exchange_weak(top, self.head_at(next), Relaxed, Acquire)",
        mutated: "compare_exchange_weak(top, self.head_at(next), Relaxed, Relaxed)",
        test: "pool::free_list_models::an_empty_cache_takes_two_entries_or_neither",
        failure: RACE,
    },
    Mutant {
        file: STACKS,
        source: "NonNull::new(self.stacks.load(Acquire)).or_else",
        mutated: "NonNull::new(self.stacks.load(Relaxed)).or_else",
        test: "pool::free_list_models::two_threads_make_the_pool",
        failure: RACE,
    },
    Mutant {
        file: STACKS,
        source: "compare_exchange(none, new.cast().as_ptr(), Release, Acquire)",
        mutated: "compare_exchange(none, new.cast().as_ptr(), Relaxed, Acquire)",
        test: "pool::free_list_models::two_threads_make_the_pool",
        failure: RACE,
    },
    Mutant {
        file: STACKS,
        source: "compare_exchange(none, new.cast().as_ptr(), Release, Acquire)",
        mutated: "compare_exchange(none, new.cast().as_ptr(), Release, Relaxed)",
        test: "pool::free_list_models::two_threads_make_the_pool",
        failure: RACE,
    },
];
