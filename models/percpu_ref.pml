/*
 * percpu_ref: what its models share. src/percpu.rs and its directory are the source.
 *
 * The word is one atomic variable in the source: what is done to it is one step here, the count and
 * both flags together. `held` is the truth, which no code can read: it changes in the very step in
 * which a reference is taken or given back. A model is right if the count, where it is whole, is the
 * truth; then release comes when nothing is held, and once.
 *
 * The including file defines REFS, and what touch(r) and release(r) are. Its processes have `added`
 * and `seen`; those that change the mode have `visited`, `sum` and `whole`.
 */

#define CPUS 2
#include "rseq.pml"

typedef Ref {
    short word;          /* the count of the word */
    bool split;          /* its flag PERCPU */
    bool dead;           /* its flag DEAD */
    byte cpus;
    bool has_counters;   /* until they are given back, and may be another's */
    short counter[CPUS];
    bool keeps;          /* ALLOW_REINIT */
    bool stays_atomic;   /* INIT_ATOMIC */
    bool changing;       /* the lock */

    short held;
    bool confirmed;      /* since then no tryget_live may succeed */
    byte released
}

Ref ref[REFS];

/* Alive, counting on each CPU, with so many references. */
inline begin(r, references) {
    ref[r].word = references;
    ref[r].held = references;
    ref[r].has_counters = true;
    ref[r].split = true;
    ref[r].cpus = CPUS
}

/* Adds to this CPU's counter, if that is how it counts; `added` says so. Whether there are counters
 * at all is read before the sequence. Where they are does not change as long as they are there: its
 * load is no step. Never starts over. `allowed` must hold if and when it succeeds. */
inline add(r, n, allowed) {
    do
    :: atomic { !ref[r].has_counters -> touch(r) }; break
    :: atomic { ref[r].has_counters -> touch(r) };
        enter();
        STEP(touch(r); added = (here < ref[r].cpus));
        if
        :: !added -> LEAVE; break
        :: added -> added = false
        fi;
        COMMIT_UNLOCKED(
            touch(r); seen = ref[r].counter[here],
            assert(ref[r].has_counters && (allowed));
            ref[r].counter[here] = seen + n;
            ref[r].held = ref[r].held + n;
            added = true);
        break
    od;
    seen = 0
}

inline get_on_word(r) {
    atomic {
        touch(r);
        assert(ref[r].split || ref[r].word > 0);
        ref[r].word++;
        ref[r].held++
    }
}

/* The caller looks at `added`. */
inline tryget_on_word(r, live) {
#ifdef DEAD_NOT_IN_WORD
    if
    :: live && ref[r].dead -> skip
    :: else -> tryget_unless(r, false, live)
    fi
#else
    tryget_unless(r, live && ref[r].dead, live)
#endif
}

inline tryget_unless(r, refused, live) {
    atomic {
        touch(r);
        if
        :: (refused) || (!ref[r].split && ref[r].word == 0)
        :: else ->
            assert(!(live && ref[r].confirmed));
            ref[r].word++;
            ref[r].held++;
            added = true
        fi
    }
}

inline put_on_word(r) {
    atomic {
        touch(r);
        ref[r].word--;
        ref[r].held--;
        if
        :: !ref[r].split ->
            assert(ref[r].word >= 0);
            if
            :: ref[r].word == 0 ->
                assert(ref[r].held == 0);
                ref[r].released++;
                release(r)
            :: else
            fi
        :: else
        fi
    }
}

inline put(r) {
    add(r, -1, true);
    if
    :: added -> added = false
    :: else -> put_on_word(r)
    fi
}

inline take_sum(r) {
    sum = ref[r].counter[0];
    ref[r].counter[0] = 0;
    sum = sum + ref[r].counter[1];
    ref[r].counter[1] = 0
}

inline fold(r) {
#ifdef FOLD_IN_TWO_STEPS
    ref[r].split = false;
#endif
    atomic {
        ref[r].word = ref[r].word + sum;
        ref[r].split = false;
        assert(ref[r].word == ref[r].held);
        sum = 0
    }
}

/* Makes the count whole. Under the lock. */
inline go_atomic(r) {
    if
    :: !ref[r].split -> whole = true
    :: ref[r].split ->
        ref[r].cpus = 0;
#ifdef SUM_BEFORE_FENCE
        take_sum(r);
        fence();
#elif defined NO_MEMBARRIER
        take_sum(r);
#else
        fence();
        take_sum(r);
#endif
        fold(r);
        atomic {
            whole = true;
            if
            :: ref[r].dead && !ref[r].keeps -> ref[r].has_counters = false
            :: else
            fi
        }
#ifdef REFUSED
    :: ref[r].split -> ref[r].cpus = 0; whole = false
#endif
    fi
}

/* Splits the count, where it may. Under the lock. */
inline go_percpu(r) {
    if
    :: ref[r].stays_atomic || ref[r].dead || ref[r].split || !ref[r].has_counters
    :: else ->
        ref[r].split = true;
        ref[r].cpus = CPUS
    fi
}

/* Where the kernel refused to fence, a sequence that was under way may succeed yet, after confirm,
 * and nothing is put. */
inline kill(r) {
    LOCK(ref[r].changing);
    atomic { touch(r); assert(!ref[r].dead); ref[r].dead = true };
    go_atomic(r);
    UNLOCK(ref[r].changing);
    if
    :: whole -> ref[r].confirmed = true; put_on_word(r)
    :: else
    fi;
    whole = false
}

inline resurrect(r) {
    LOCK(ref[r].changing);
    atomic {
        touch(r);
        assert(ref[r].dead);
        ref[r].dead = false;
        ref[r].word++;
        ref[r].held++;
        ref[r].confirmed = false
    };
    go_percpu(r);
    UNLOCK(ref[r].changing)
}
