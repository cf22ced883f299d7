/*
 * percpu_ref: gets and puts on two CPUs, while another thread changes the mode.
 *
 * - holder() owns a reference. It takes a second one and puts both; in the variants MODES and REFUSED
 *   it puts the first one only.
 * - Two seekers try to take a reference, and put it. One seeker has restartable sequences, the other
 *   has none. A seeker may try when no reference is left, because something else keeps the memory.
 *   So this model frees nothing; percpu_slot.pml does.
 * - killer() kills.
 *
 * right: MODES: another thread switches to atomic and back; the killer kills, resurrects and kills
 * right: REINIT: the killer kills, waits for the release, resurrects and kills again
 * right: REFUSED: the kernel may refuse the membarrier; then release never runs
 * broken: NO_MEMBARRIER: kill does not wait for sequences
 * broken: SUM_BEFORE_FENCE: kill adds up the counters, and waits for sequences afterwards
 * broken: FOLD_IN_TWO_STEPS: a put tests the word for zero before the sum of the counters is added
 * broken: DEAD_NOT_IN_WORD: tryget_live tests DEAD in one step and takes a reference in the next
 * broken: MIGRATES_WITHOUT_RESTART: a sequence continues after another thread entered one on its CPU
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

/* The killer and the switcher each hold a reference, besides the initial one. */
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
