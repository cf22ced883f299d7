/*
 * percpu_ref_slot: a published pointer to a percpu_ref. One sequence reads the pointer, reads the
 * percpu_ref and takes a reference. The source is src/percpu/slot.rs and
 * Area::take_percpu in src/rseq.
 *
 * Two readers each take a reference and put it. One reader has restartable sequences, the other has
 * none. The slot begins with a reference on the first object, beside the initial reference, which the
 * killer gives up meanwhile. The writer publishes the second object and puts the slot's reference on
 * the first. Then the writer empties the slot and kills the second object, whose initial reference
 * the slot had. Release frees an object at once.
 *
 * An access to a freed object violates an assertion. At the end both objects have been released.
 *
 * The membarrier of a replace protects the put of the slot's reference. A replace that is followed by
 * a kill needs none of its own: the later membarrier of the kill restarts the same sequences.
 *
 * right: TWO_SEQUENCES: both readers have restartable sequences
 * right: REFUSED: the kernel may refuse the membarrier; such an object leaks
 * broken: NO_MEMBARRIER: kill does not wait for sequences
 * broken: NO_MEMBARRIER_IN_REPLACE: replace does not wait for sequences
 * broken: MEMBARRIER_BEFORE_EXCHANGE: a sequence that starts after the membarrier reads the old pointer
 * broken: WRITER_WITHOUT_LOCK: the reader without sequences holds the lock, but the writer takes none
 * broken: CPU_TESTED_LATE: an unregistered thread reads `cpus`, and nothing keeps the object
 * broken: REFUSED NO_EXTRA_REFERENCE: the kernel refuses the membarrier, and the object is put
 */

#define THREADS 2
#define REFS 2
#define PINNED   /* percpu.pml has migrations */
#define touch(r) assert(!freed[r])
#define release(r) freed[r] = true

bool freed[2];

#include "percpu_ref.pml"

#define NOTHING REFS

byte published;
bool locked;
byte done;

inline take_locked() {
    LOCK(locked);
    taken = published;
    if
    :: taken != NOTHING -> get_on_word(taken)
    :: else
    fi;
    UNLOCK(locked)
}

/* One attempt. Only a thread that can be restarted reads the object behind the pointer. */
inline sequence_of_take() {
    do
    :: true ->
        enter();
#ifndef CPU_TESTED_LATE
        if
        :: here != NOWHERE
        :: else -> break
        fi;
#endif
        STEP(taken = published);
        if
        :: taken == NOTHING -> LEAVE; found = true; break
        :: else
        fi;
        STEP(touch(taken); added = (here < ref[taken].cpus));
        if
        :: !added -> LEAVE; break
        :: added -> added = false
        fi;
        STEP(touch(taken); assert(ref[taken].has_counters));
        COMMIT_UNLOCKED(
            touch(taken); seen = ref[taken].counter[here],
            assert(ref[taken].has_counters);
            ref[taken].counter[here] = seen + 1;
            ref[taken].held++;
            seen = 0;
            found = true);
        break
    od
}

/* After a restart the reader retries or takes the lock. The model allows any number of restarts. */
inline take() {
    do
    :: sequence_of_take();
        if
        :: found -> break
        :: !found && REGISTERED -> taken = 0
        :: !found -> take_locked(); break
        fi
    od
}

proctype reader(byte me) {
    byte here = NOWHERE, taken;
    short seen;
    bool added, found;

    take();
    if
    :: taken != NOTHING -> put(taken)
    :: else
    fi;
    atomic { taken = 0; found = false; done++ }
}

/* Publishes `next`. `old` is the object that was published before. */
inline replace(next) {
#ifdef MEMBARRIER_BEFORE_EXCHANGE
    fence();
#endif
#ifndef WRITER_WITHOUT_LOCK
    LOCK(locked);
#endif
    atomic { old = published; published = next };
#ifndef WRITER_WITHOUT_LOCK
    UNLOCK(locked);
#endif
    if
#if defined NO_MEMBARRIER_IN_REPLACE || defined MEMBARRIER_BEFORE_EXCHANGE
    :: true
#else
    :: true -> fence()
#endif
#if defined REFUSED && defined NO_EXTRA_REFERENCE
    :: true
#elif defined REFUSED
    :: true -> get_on_word(old)
#endif
    fi
}

proctype writer() {
    byte old, visited;
    short sum;
    bool whole;

    replace(1);
    put_on_word(old);
    replace(NOTHING);
    kill(old);
    atomic { old = 0; done++ }
}

proctype killer() {
    byte visited;
    short sum;
    bool whole;

    kill(0);
    done++
}

init {
    byte r;

    atomic {
#ifndef TWO_SEQUENCES
        sequence[1] = UNREGISTERED;
#endif
        begin(0, 2);
        begin(1, 1);
        run reader(0);
        run reader(1);
        run writer();
        run killer()
    };
    done == 4;
    do
    :: r < REFS ->
#ifdef REFUSED
        assert(freed[r] == (ref[r].held == 0));
#else
        assert(freed[r] && ref[r].held == 0);
#endif
        assert(ref[r].released <= 1);
        r++
    :: else -> break
    od
}
