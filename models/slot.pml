/*
 * kref_slot: a published pointer, from which a reference can be taken. src/slot.rs is the source.
 *
 * One reader with restartable sequences and one that has none take a reference, and put it. One
 * writer publishes an object of its own, empties the slot, and does both again: the new object may
 * be where an old one was. Another publishes one object twice, with a reference for each time, and
 * may so replace a pointer by itself. Each puts what it took down. At last the slot is emptied.
 *
 * Whoever touches an object that was freed fails an assertion. At the end each object that was made
 * has been freed, once.
 *
 * right: TWO_SEQUENCES: both readers have them
 * right: REFUSED: the kernel may refuse to fence; a reference that is nobody's makes the object leak
 * right: REFUSED TWO_SEQUENCES: both
 * broken: NO_MEMBARRIER: the writer does not wait for sequences
 * broken: MEMBARRIER_BEFORE_EXCHANGE: it waits for those that cannot have seen the old pointer yet
 * broken: PUT_BEFORE_MEMBARRIER: it waits, but puts first
 * broken: WRITER_WITHOUT_LOCK: the reader that has no sequence is not excluded
 * broken: CPU_NOT_TESTED: a thread that is not registered goes through the sequence
 * broken: REFUSED NO_EXTRA_REFERENCE: the kernel refuses to fence, and the object is put all the same
 */

#define THREADS 2
#include "rseq.pml"

#define OBJECTS 2
#define NOTHING OBJECTS

/* How often the first writer fills the slot. What leaks leaves no memory for a second time. */
#ifdef REFUSED
#define ROUNDS 1
#else
#define ROUNDS 2
#endif

byte published = NOTHING;
bool locked;

byte count[OBJECTS];      /* an object is freed where it is zero */
byte unfenced[OBJECTS];   /* how many of its references are nobody's */
byte made, freed;
byte done;

/* Whatever is done with an object. */
inline touch(object) { assert(count[object] > 0) }

/* An object with so many references, in memory that may have been another's: there is little. */
inline make(object, references) {
    atomic {
        if
        :: count[0] == 0 -> object = 0
        :: count[0] > 0 && count[1] == 0 -> object = 1
        fi;
        count[object] = references;
        unfenced[object] = 0;
        made++
    }
}

/* The last put frees in the same step: others do not get a moment that they might not have. */
inline put(object) {
    atomic {
        touch(object);
        count[object]--;
        if
        :: count[object] == 0 -> freed++
        :: else
        fi
    }
}

inline take_locked() {
    LOCK(locked);
    taken = published;
    if
    :: taken != NOTHING -> d_step { touch(taken); count[taken]++ }
    :: else
    fi;
    UNLOCK(locked)
}

/* One try: from the pointer to the count. */
inline sequence_of_take() {
    do
    :: true ->
        enter();
#ifndef CPU_NOT_TESTED
        if
        :: REGISTERED
        :: else -> break
        fi;
#endif
        STEP(taken = published);
        if
        :: taken == NOTHING -> LEAVE; found = true; break
        :: else
        fi;
        COMMIT(touch(taken); count[taken]++; found = true);
        break
    od
}

/* Starts over as often as it likes, and gives up when it likes: the source does after 64 times. */
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
    byte taken;
    bool found;

    take();
    if
    :: taken != NOTHING -> put(taken)
    :: else
    fi;
    atomic { taken = 0; found = false; done++ }
}

/* Publishes `next`; what was published is in `old`, and put. */
inline replace(next) {
#ifdef MEMBARRIER_BEFORE_EXCHANGE
    fence();
#endif
#ifndef WRITER_WITHOUT_LOCK
    LOCK(locked);
#endif
    d_step { old = published; published = next };
#ifndef WRITER_WITHOUT_LOCK
    UNLOCK(locked);
#endif
    if
    :: old == NOTHING
#ifdef PUT_BEFORE_MEMBARRIER
    :: old != NOTHING -> put(old); fence()
#elif defined NO_MEMBARRIER || defined MEMBARRIER_BEFORE_EXCHANGE
    :: old != NOTHING -> put(old)
#else
    :: old != NOTHING -> fence(); put(old)
#endif
#ifdef REFUSED
    :: old != NOTHING ->
#ifndef NO_EXTRA_REFERENCE
        d_step { touch(old); count[old]++; unfenced[old]++ };
#endif
        put(old)
#endif
    fi
}

proctype fills_and_empties() {
    byte object, old, visited, rounds = ROUNDS;

    do
    :: rounds > 0 ->
        make(object, 1);
        replace(object);
        replace(NOTHING);
        rounds--
    :: else -> break
    od;
    atomic { object = 0; old = 0; done++ }
}

proctype publishes_twice() {
    byte object, old, visited;

    make(object, 2);
    replace(object);
    replace(object);
    atomic { object = 0; old = 0; done++ }
}

init {
    byte old, visited, object;

    atomic {
#ifndef TWO_SEQUENCES
        sequence[1] = UNREGISTERED;
#endif
        run reader(0);
        run reader(1);
        run fills_and_empties();
        run publishes_twice()
    };
    done == 4;
    replace(NOTHING);
    atomic {
        object = 0;
        do
        :: object < OBJECTS ->
            /* What is not freed has leaked, and no reference but those that are nobody's. */
            assert(count[object] == unfenced[object]);
            made = made - (count[object] > 0 -> 1 : 0);
            object++
        :: else -> break
        od;
        assert(freed == made)
    }
}
