/*
 * Restartable sequences, as the models of this directory use them. src/rseq.rs has the real ones.
 *
 * A sequence is a `do` of which there is at most one round. Each step of it is one instruction, and
 * all other threads' instructions come between any two of them. At each step the thread may find
 * itself preempted instead, and is then at its abort handler, behind the `do`. Nothing says why: a
 * time slice's end, a migration and a signal are alike to it.
 *
 *     do
 *     :: true ->
 *         enter();
 *         STEP(pointer = published);
 *         COMMIT(count[pointer]++; taken = true);
 *         break
 *     od;
 *     // the abort handler, and what follows the sequence
 *
 * What forces a restart is modelled by who forces it:
 *
 * - fence(), the membarrier, visits one thread after the other. Whoever is in a sequence is not let
 *   through to its next step. It waits for an instruction that has begun to be over.
 * - A thread that enters a sequence on a CPU has preempted whoever was in one there.
 *
 * A thread that is not registered is never restarted, by nobody: that is what tests of the CPU's
 * number are for.
 *
 * Memory is sequentially consistent here. That is right for sequences on x86: loads come in their
 * order, the commit is the only store that others see, and a membarrier is a full barrier on every
 * CPU. For the orderings of everything else there are loom's models.
 *
 * The including file defines how many THREADS use sequences, or would if they were registered; CPUS
 * if it matters where a sequence runs, and PINNED if each thread stays on the CPU of its number. Each
 * of these threads has its number in `me`.
 */

#define OUT          0
#define IN           1
#define COMMITTING   2   /* within the one instruction that commits */
#define RESTARTED    3   /* will be at the abort handler when it runs next */
#define UNREGISTERED 4

byte sequence[THREADS];

#define REGISTERED (sequence[me] != UNREGISTERED)

/* The way to the abort handler, open at each step. */
#define PREEMPTED \
    :: atomic { REGISTERED -> sequence[me] = OUT; leave_cpu() }; break

/* One instruction of a sequence. */
#define STEP(instruction)                                                       \
    if                                                                          \
    :: atomic { sequence[me] == IN || !REGISTERED -> instruction }              \
    PREEMPTED                                                                   \
    fi

/* The last one, if others see it as one. */
#define COMMIT(instruction)                                                     \
    if                                                                          \
    :: atomic { sequence[me] == IN || !REGISTERED -> instruction; leave() }     \
    PREEMPTED                                                                   \
    fi

/* The last one, if it reads and writes memory, and other CPUs come between the two. */
#define COMMIT_UNLOCKED(read, write)                                            \
    if                                                                          \
    :: atomic { sequence[me] == IN -> sequence[me] = COMMITTING; read };        \
       atomic { write; leave() }                                                \
    PREEMPTED                                                                   \
    fi

/* Out of it without a commit. */
#define LEAVE atomic { leave() }

inline leave() {
    if
    :: REGISTERED -> sequence[me] = OUT; leave_cpu()
    :: else
    fi
}

#ifndef CPUS

inline leave_cpu() { skip }

inline enter() {
    atomic {
        if
        :: REGISTERED -> sequence[me] = IN
        :: else
        fi
    }
}

#else

/* What the CPU's number is compared as, where a thread is not registered. */
#define NOWHERE 255

/* Who is in a sequence on a CPU: one more than its number. */
byte runs[CPUS];

/* Each process keeps the CPU that it is on in `here`. */
#ifdef MIGRATES_WITHOUT_RESTART
#define PREEMPTS(cpu) skip
#else
#define PREEMPTS(cpu)                                                           \
    if                                                                          \
    :: runs[cpu] -> sequence[runs[cpu] - 1] = RESTARTED                         \
    :: else                                                                     \
    fi
#endif

/* Nobody takes a CPU from a thread in the midst of an instruction. */
#define IS_FREE(cpu) (!runs[cpu] || sequence[runs[cpu] - 1] != COMMITTING)

inline leave_cpu() {
    if
    :: here != NOWHERE && runs[here] == me + 1 -> runs[here] = 0
    :: else
    fi;
    here = NOWHERE
}

inline enter() {
    atomic {
        if
        :: !REGISTERED -> here = NOWHERE
#ifdef PINNED
        :: REGISTERED -> here = me
#else
        :: REGISTERED && IS_FREE(0) -> here = 0
        :: REGISTERED && IS_FREE(1) -> here = 1
#endif
        fi;
        if
        :: REGISTERED -> PREEMPTS(here); runs[here] = me + 1; sequence[me] = IN
        :: else
        fi
    }
}

#endif

/* membarrier: whoever is in a sequence starts over. The caller's `visited` is for its use. */
inline fence() {
    do
    :: visited < THREADS ->
        atomic {
            sequence[visited] != COMMITTING;
            if
            :: sequence[visited] == IN -> sequence[visited] = RESTARTED
            :: else
            fi;
            visited++
        }
    :: else -> visited = 0; break
    od
}

/* A lock of the pool. */
#define LOCK(held)   atomic { !held -> held = true }
#define UNLOCK(held) held = false
