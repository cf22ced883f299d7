/*
 * percpu_ref: the part that percpu.pml and percpu_slot.pml share. src/percpu is the source.
 *
 * In the source the word is one atomic variable: a count and two flags. So one operation on the word
 * is one step here. `held` is the true number of references. The code under test cannot read `held`;
 * the step that takes or gives back a reference changes `held`, too. The count is whole while it is
 * not split. A model asserts two things: a whole count equals `held`, and release runs once, when
 * `held` is 0.
 *
 * The including file defines REFS, touch(r) and release(r). Its processes declare `added` and `seen`;
 * processes that change the mode declare `visited`, `sum` and `whole`.
 */

#define CPUS 2
#include "rseq.pml"

typedef Ref {
    short word;          /* the count in the word */
    bool split;          /* the word's flag PERCPU */
    bool dead;           /* the word's flag DEAD */
    byte cpus;
    bool has_counters;   /* if false, another percpu_ref may have the counters */
    short counter[CPUS];
    bool keeps;          /* ALLOW_REINIT */
    bool stays_atomic;   /* INIT_ATOMIC */
    bool changing;       /* the lock of mode changes */

    short held;
    bool confirmed;      /* from now on no tryget_live may succeed */
    byte released
}

Ref ref[REFS];

/* Makes a live percpu_ref that counts on each CPU. */
inline begin(r, references) {
    ref[r].word = references;
    ref[r].held = references;
    ref[r].has_counters = true;
    ref[r].split = true;
    ref[r].cpus = CPUS
}

/* Adds n to the counter of this CPU, if the percpu_ref counts there; `added` says whether it does.
 * has_counters is read before the sequence. The address of the counters is constant while there are
 * counters, so the load of the address is no step. A preempted sequence is not retried. `allowed`
 * must be true in the step that adds. */
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

/* `added` says whether a reference was taken. */
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

/* Moves the counters' sum into the word. The caller holds the lock. */
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

/* Counts on each CPU from now on, if that is allowed. The caller holds the lock. */
inline go_percpu(r) {
    if
    :: ref[r].stays_atomic || ref[r].dead || ref[r].split || !ref[r].has_counters
    :: else ->
        ref[r].split = true;
        ref[r].cpus = CPUS
    fi
}

/* If the kernel refused the membarrier, a sequence may still be about to add to a counter. Then
 * nothing is confirmed, and the initial reference is not put. */
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
