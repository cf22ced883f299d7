//! The table: each place of the source that a test weakens, and the model that must then fail.

/// A place in the source, its weakened text, and the model that must fail.
pub struct Mutant {
    pub file: &'static str,
    /// Occurs once in the file.
    pub source: &'static str,
    pub weakened: &'static str,
    pub model: &'static str,
    /// A part of the message of the model that fails.
    pub failure: &'static str,
}

pub const COUNT: &str = "src/count/mod.rs";
pub const GET: &str = "src/count/get.rs";
pub const PUT: &str = "src/count/put.rs";
pub const COLD_PATH: &str = "src/count/cold_path.rs";
pub const TRACKER: &str = "src/tracker.rs";
pub const HANDLER: &str = "src/report/handler.rs";
pub const SLOT: &str = "src/slot.rs";
pub const LOOKUP: &str = "src/lookup.rs";
pub const WORD: &str = "src/percpu/word.rs";
pub const MODE: &str = "src/percpu/mode.rs";

pub const PAIR_MODEL: &str = "report::handler::tests::a_reader_sees_a_complete_pair";

pub const LIST_MODEL: &str = "report::handler::tests::two_threads_add_to_one_list";

pub const TABLE_MODEL: &str = "tracker::tests::a_caller_of_the_table_sees_what_came_before_the_set";

/// loom's message: nothing orders two accesses, one of which is a write.
pub const RACE: &str = "Causality violation";
/// A slot's get came after the last put.
pub const GONE: &str = "what is published has references";
/// The last put came before its thread had the lock, so the table lists a dead object.
pub const DEAD: &str = "what is listed is alive";
pub const LATE: &str = "taken after the kill";
/// A sequence may use the counters, and the word does not say that a part of the count is there.
pub const NOT_SPLIT: &str = "the counters are open, and the word is whole";
pub const NOT_SATURATED: &str = "not saturated";
/// A put released a tracked object on which a slot's reader had already taken a reference.
pub const RELEASED_DESPITE_READER: &str = "released although a reader had raised the count";
/// A put gave back a reference and did not call the tracker.
pub const PUT_WITHOUT_CALL: &str = "a put without a call";

pub const ORDERINGS: &[Mutant] = &[
    Mutant {
        file: COUNT,
        source: "self.stored.store(stored(n), Release)",
        weakened: "self.stored.store(stored(n), Relaxed)",
        model: "count::inc_not_zero_acquire_against_set_release",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "compare_exchange_weak(old, new, Release, Relaxed)",
        weakened: "compare_exchange_weak(old, new, Relaxed, Relaxed)",
        model: "count::sub_and_test_against_dec_and_test",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "stored.fetch_sub(1, Release)",
        weakened: "stored.fetch_sub(1, crate::sys::sync::Ordering::Relaxed)",
        model: "put_against_put",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "let _ = self.stored.load(Acquire);",
        weakened: "let _ = self.stored.load(Relaxed);",
        model: "put_against_put",
        failure: RACE,
    },
    Mutant {
        file: GET,
        source: "or_report(self.try_add(n, Acquire), self, true, caller)",
        weakened: "or_report(self.try_add(n, Relaxed), self, true, caller)",
        model: "count::inc_not_zero_acquire_against_a_put_that_is_not_the_last",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "compare_exchange(ONE, DEAD, AcqRel, Relaxed)",
        weakened: "compare_exchange(ONE, DEAD, Release, Relaxed)",
        model: "count::dec_if_one_against_dec_and_test",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "compare_exchange(ONE, DEAD, AcqRel, Relaxed)",
        weakened: "compare_exchange(ONE, DEAD, Acquire, Relaxed)",
        model: "count::dec_if_one_against_a_reader_of_zero",
        failure: RACE,
    },
    Mutant {
        file: PUT,
        source: "compare_exchange_weak(old, new, Release, Relaxed)",
        weakened: "compare_exchange_weak(old, new, Relaxed, Relaxed)",
        model: "count::dec_not_one_against_dec_and_test",
        failure: RACE,
    },
    Mutant {
        file: COLD_PATH,
        source: "compare_exchange_weak(old, next, Acquire, Relaxed)",
        weakened: "compare_exchange_weak(old, next, Relaxed, Relaxed)",
        model: "count::models::inc_not_zero_acquire_against_a_put_that_is_not_the_last",
        failure: RACE,
    },
    Mutant {
        file: COLD_PATH,
        source: "compare_exchange_weak(old, new, Release, Relaxed)",
        weakened: "compare_exchange_weak(old, new, Relaxed, Relaxed)",
        model: "count::models::sub_and_test_against_sub_and_test",
        failure: RACE,
    },
    Mutant {
        file: COLD_PATH,
        source: "compare_exchange(old, DEAD, Release, Relaxed)",
        weakened: "compare_exchange(old, DEAD, Relaxed, Relaxed)",
        model: "count::models::dec_if_one_against_a_reader_of_zero",
        failure: RACE,
    },
    Mutant {
        file: COLD_PATH,
        source: "self.acquire_last();\n        tsan::acquire(self);",
        weakened: "",
        model: "count::models::put_against_put",
        failure: RACE,
    },
    Mutant {
        file: TRACKER,
        source: "self.0.store(tracker.cast_mut(), Release)",
        weakened: "self.0.store(tracker.cast_mut(), crate::sys::sync::Ordering::Relaxed)",
        model: TABLE_MODEL,
        failure: RACE,
    },
    Mutant {
        file: TRACKER,
        source: "self.0.load(Acquire)",
        weakened: "self.0.load(crate::sys::sync::Ordering::Relaxed)",
        model: TABLE_MODEL,
        failure: RACE,
    },
    Mutant {
        file: HANDLER,
        source: "self.current.store(target.cast_mut(), Release)",
        weakened: "self.current.store(target.cast_mut(), Relaxed)",
        model: PAIR_MODEL,
        failure: RACE,
    },
    Mutant {
        file: HANDLER,
        source: "self.current.load(Acquire)",
        weakened: "self.current.load(Relaxed)",
        model: PAIR_MODEL,
        failure: RACE,
    },
    Mutant {
        file: HANDLER,
        source: "self.newest.load(Acquire).cast_const()",
        weakened: "self.newest.load(Relaxed).cast_const()",
        model: LIST_MODEL,
        failure: RACE,
    },
    Mutant {
        file: HANDLER,
        source: "compare_exchange(older, target, Release, Relaxed)",
        weakened: "compare_exchange(older, target, Relaxed, Relaxed)",
        model: LIST_MODEL,
        failure: RACE,
    },
    Mutant {
        file: SLOT,
        source: "published.swap(next, Release)",
        weakened: "published.swap(next, Relaxed)",
        model: "slot::tests::a_sequence_sees_what_was_published",
        failure: RACE,
    },
    Mutant {
        file: WORD,
        source: "fetch_sub(n as isize * ONE, Release)",
        weakened: "fetch_sub(n as isize * ONE, Relaxed)",
        model: "percpu::word::tests::put_against_put",
        failure: RACE,
    },
    Mutant {
        file: WORD,
        source: "let _ = self.0.load(Acquire);",
        weakened: "",
        model: "percpu::word::tests::put_against_put",
        failure: RACE,
    },
    Mutant {
        file: WORD,
        source: "fetch_add(parts - PERCPU, Release)",
        weakened: "fetch_add(parts - PERCPU, Relaxed)",
        model: "percpu::word::tests::fold_against_the_last_put",
        failure: RACE,
    },
    Mutant {
        file: WORD,
        source: "self.0.load(Acquire) / ONE",
        weakened: "self.0.load(Relaxed) / ONE",
        model: "percpu::word::tests::a_thread_that_finds_one_reference_may_free_the_object",
        failure: RACE,
    },
    Mutant {
        file: WORD,
        source: "self.0.load(Acquire) & !DEAD == 0",
        weakened: "self.0.load(Relaxed) & !DEAD == 0",
        model: "percpu::word::tests::a_thread_that_finds_zero_may_reuse_the_object",
        failure: RACE,
    },
    Mutant {
        file: MODE,
        source: "self.head.cpus.store(data.cpus, Release)",
        weakened: "self.head.cpus.store(data.cpus, Relaxed)",
        model: "percpu::mode::tests::open_counters_have_a_split_word",
        failure: NOT_SPLIT,
    },
];

/// Places that rely on more than an ordering: on a lock, on one atomic step, on a test of the count, or
/// on a later step. A model fails without the lock, the test or the step.
pub const STEPS: &[Mutant] = &[
    Mutant {
        file: SLOT,
        source: "let kref = self.kref.load(Relaxed);",
        weakened: "drop(guard); let guard = (); let kref = self.kref.load(Relaxed);",
        model: "slot_get_against_slot_replace",
        failure: GONE,
    },
    Mutant {
        file: SLOT,
        source: "let got = unsafe { kref.as_ref() }.map(Kref::try_get);",
        weakened: "drop(guard); let guard = (); let got = unsafe { kref.as_ref() }.map(Kref::try_get);",
        model: "slot_get_against_slot_replace",
        failure: GONE,
    },
    Mutant {
        file: SLOT,
        source: "let old = published.swap(next, Release);",
        weakened: "drop(guard); let guard = (); let old = published.swap(next, Release);",
        model: "slot_get_against_slot_replace",
        failure: GONE,
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
        model: "percpu::word::tests::kill_against_tryget_live",
        failure: LATE,
    },
    Mutant {
        file: WORD,
        source: "let old = self.0.fetch_add(parts - PERCPU, Release);",
        weakened: "let old = self.0.fetch_sub(PERCPU, Release); self.0.fetch_add(parts, Release);",
        model: "percpu::word::tests::a_split_word_is_never_zero",
        failure: RACE,
    },
    Mutant {
        file: MODE,
        source: "data.word.split();",
        weakened: "self.head.cpus.store(data.cpus, Relaxed); data.word.split();",
        model: "percpu::mode::tests::open_counters_have_a_split_word",
        failure: NOT_SPLIT,
    },
    Mutant {
        file: COLD_PATH,
        source: "let counted = |value| without(more(value, 1)?, 1);",
        weakened: "self.take_back(1); let counted = |value| more(without(value, 0)?, 1);",
        model: "count::models::put_against_a_reader_of_a_slot",
        failure: RELEASED_DESPITE_READER,
    },
    Mutant {
        file: COLD_PATH,
        source: "tracker::putting(self.address(), n, references(old), by);",
        weakened: "",
        model: "count::models::put_against_put",
        failure: PUT_WITHOUT_CALL,
    },
    Mutant {
        file: COUNT,
        source: "self.stored.store(SATURATED_AT, Relaxed);",
        weakened: "",
        model: "count::gets_and_a_put_on_a_full_count",
        failure: NOT_SATURATED,
    },
];
