/*
 * kref_slot: a published pointer to an object. A reader takes a reference on the object. src/slot
 * is the source.
 *
 * Two readers each take a reference and put it. One reader has restartable sequences, the other has
 * none. Two writers work at the same time:
 *
 * - fills_and_empties() publishes an object and empties the slot, twice. The second object may have
 *   the address of an object that was freed.
 * - publishes_twice() publishes one object twice, and owns a reference for each time. The second
 *   replace may replace a pointer by the same pointer.
 *
 * Each writer puts the slot's reference on the object that the writer replaced. At last init empties
 * the slot.
 *
 * An access to a freed object violates an assertion. At the end each object has been freed, once.
 *
 * right: TWO_SEQUENCES: both readers have restartable sequences
 * right: REFUSED: the kernel may refuse the membarrier; an extra reference then makes the object leak
 * right: REFUSED TWO_SEQUENCES: both of these variants together
 * broken: NO_MEMBARRIER: the writer does not wait for sequences
 * broken: MEMBARRIER_BEFORE_EXCHANGE: a sequence that starts after the membarrier reads the old pointer
 * broken: PUT_BEFORE_MEMBARRIER: the writer puts the old object, and waits for sequences afterwards
 * broken: WRITER_WITHOUT_LOCK: the reader without sequences holds the lock, but the writer takes none
 * broken: CPU_NOT_TESTED: an unregistered thread runs the sequence, and nothing restarts this thread
 * broken: REFUSED NO_EXTRA_REFERENCE: the kernel refuses the membarrier, and the writer puts the object
 */

#define THREADS 2
#include "rseq.pml"

#define OBJECTS 2
#define NOTHING OBJECTS

/* How often fills_and_empties() fills the slot. A leaked object leaves no memory for round two. */
#ifdef REFUSED
#define ROUNDS 1
#else
#define ROUNDS 2
#endif

byte published = NOTHING;
bool locked;

byte count[OBJECTS];      /* the memory of an object is free if this is 0 */
byte unfenced[OBJECTS];   /* the extra references, which nobody puts */
byte made, freed;
byte done;

/* Any access to an object. */
inline touch(object) { assert(count[object] > 0) }

/* Makes an object. There is memory for two: the memory may be that of a freed object. */
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

/* The last put frees in the same step. A later free would hide an access that comes too late. */
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

/* One attempt: reads the pointer and increments the count. */
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

/* After a restart the reader retries or takes the lock. The source takes it after 64 restarts; the
 * model allows any number. */
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

/* Publishes `next`, and puts the object that was published before: `old`. */
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
            /* An object that was not freed has leaked: only the extra references are left. */
            assert(count[object] == unfenced[object]);
            made = made - (count[object] > 0 -> 1 : 0);
            object++
        :: else -> break
        od;
        assert(freed == made)
    }
}
