/*
 * percpu_ref_slot: a published percpu reference, taken by a sequence that reads it, and then what it
 * points to. src/percpu/slot.rs and Area::take_percpu in src/rseq/sequences.rs are the source.
 *
 * One reader with restartable sequences and one that has none take a reference, and put it. The slot
 * begins with a reference of its own on the first object, which another thread kills meanwhile. The
 * writer publishes the second instead and puts the first; then it empties the slot, and kills the
 * second, whose initial reference was the slot's. Release frees the object at once.
 *
 * Whoever touches an object that was freed fails an assertion. In the end both have been released.
 *
 * A replace that is followed by a kill would do without its own membarrier: kill's comes later, and
 * restarts the same sequences. It is the put of a slot's own reference that needs it.
 *
 * right: TWO_SEQUENCES: both readers have them
 * right: REFUSED: the kernel may refuse to fence; such an object leaks
 * broken: NO_MEMBARRIER: kill does not wait for sequences
 * broken: NO_MEMBARRIER_IN_REPLACE: replace does not
 * broken: MEMBARRIER_BEFORE_EXCHANGE: it waits for those that cannot have seen the old pointer yet
 * broken: WRITER_WITHOUT_LOCK: the reader that has no sequence is not excluded
 * broken: CPU_TESTED_LATE: a thread that is not registered compares its CPU with the object's `cpus`,
 *         and nothing keeps the object for it
 * broken: REFUSED NO_EXTRA_REFERENCE: the kernel refuses to fence, and the object is put all the same
 */

#define THREADS 2
#define REFS 2
#define PINNED   /* percpu.pml migrates */
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

/* One try. What is behind the pointer is read by a thread that can be restarted, or not at all. */
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

/* Starts over as often as it likes, and gives up when it likes. */
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

/* Publishes `next`; what was published is in `old`. */
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
