/*
 * percpu_ref: gets and puts on two CPUs against whoever changes the mode.
 *
 * One thread holds a reference, takes another and puts both, or just puts. One with sequences and
 * one without try to take one, and put it. One kills. What tries to take a reference may do so when
 * there is none: something else keeps the memory. So nothing is freed here; percpu_slot.pml frees.
 *
 * right: MODES: switched to atomic and back meanwhile, and killed, resurrected and killed
 * right: REINIT: killed, released, begun anew and killed
 * right: REFUSED: the kernel may refuse to fence; then it is never released
 * broken: NO_MEMBARRIER: kill does not wait for sequences
 * broken: SUM_BEFORE_FENCE: it waits when it has added the counters up
 * broken: FOLD_IN_TWO_STEPS: it lets puts look for zero before the word has the counters' sum
 * broken: DEAD_NOT_IN_WORD: tryget_live looks for death, and then takes a reference
 * broken: MIGRATES_WITHOUT_RESTART: a sequence goes on, on a CPU that is another's now
 */

#define THREADS 3
#define REFS 1
#define touch(r) skip
#define release(r) skip
#include "percpu_ref.pml"

byte done;

proctype holder(byte me) {
    byte here = NOWHERE;
    short seen;
    bool added;

#if !defined MODES && !defined REFUSED
    add(0, 1, true);
    if
    :: added -> added = false
    :: else -> get_on_word(0)
    fi;
    put(0);
#endif
    put(0);
    done++
}

proctype seeker(byte me; bool live) {
    byte here = NOWHERE;
    short seen;
    bool added;

    add(0, 1, !(live && ref[0].confirmed));
    if
    :: added
    :: else -> tryget_on_word(0, live)
    fi;
    if
    :: added -> added = false; put(0)
    :: else
    fi;
    done++
}

#ifdef MODES

/* Each holds a reference of its own besides. */
proctype killer() {
    byte visited;
    short sum;
    bool whole;

    kill(0);
    resurrect(0);
    kill(0);
    put_on_word(0);
    done++
}

proctype switcher() {
    byte visited;
    short sum;
    bool whole;

    LOCK(ref[0].changing);
    ref[0].stays_atomic = true;
    go_atomic(0);
    UNLOCK(ref[0].changing);
    LOCK(ref[0].changing);
    ref[0].stays_atomic = false;
    go_percpu(0);
    UNLOCK(ref[0].changing);
    put_on_word(0);
    atomic { whole = false; done++ }
}

#else

proctype killer() {
    byte visited;
    short sum;
    bool whole;

    kill(0);
#ifdef REINIT
    ref[0].released == 1;
    resurrect(0);
    kill(0);
#endif
    done++
}

#endif

#ifdef REINIT
#define LIVES 2
#define LIVE false
#else
#define LIVES 1
#define LIVE true
#endif

init {
    atomic {
        sequence[2] = UNREGISTERED;
#ifdef MODES
        begin(0, 4);
        ref[0].keeps = true;
        run switcher();
#else
        begin(0, 2);
        done++;
#endif
#ifdef REINIT
        ref[0].keeps = true;
#endif
        run holder(0);
        run seeker(1, true);
        run seeker(2, LIVE);
        run killer()
    };
    done == 5;
#ifdef REFUSED
    if
    :: ref[0].split -> assert(ref[0].released == 0 && ref[0].held == 1)
    :: else -> assert(ref[0].released == 1 && ref[0].held == 0)
    fi
#else
    assert(ref[0].released == LIVES && ref[0].held == 0)
#endif
}
