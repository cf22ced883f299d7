/*
 * Restartable sequences, for the models of this directory. src/rseq has the real sequences.
 *
 * A sequence is a `do` loop that runs at most one round. Each step stands for one instruction, and
 * instructions of other threads may come between any two steps. Instead of a step, the kernel may
 * preempt the thread: the thread then leaves the loop and continues at its abort handler, which is
 * the code behind the `do`. The model does not distinguish the reasons for a preemption: the end of
 * a time slice, a migration and a signal have the same effect.
 *
 *     do
 *     :: true ->
 *         enter();
 *         STEP(pointer = published);
 *         COMMIT(count[pointer]++; taken = true);
 *         break
 *     od;
 *     // the abort handler, and the code that follows the sequence
 *
 * Two events force a restart:
 *
 * - fence(), the membarrier, visits one thread after the other. A thread that is in a sequence cannot
 *   take its next step and restarts. fence() waits until an instruction that has begun is complete.
 * - A thread that enters a sequence on a CPU has preempted the thread that was in a sequence there.
 *
 * Nothing restarts an unregistered thread. The sequences test the number of the CPU to keep such a
 * thread out.
 *
 * Memory is sequentially consistent in these models. On x86 this is right for sequences: loads happen
 * in program order, the commit is the only store that other threads see, and a membarrier is a full
 * barrier on every CPU. The loom models check the memory orderings.
 *
 * The including file defines
 * - THREADS: how many threads use sequences, or would use them if they were registered. Each of these
 *   threads has its number in `me`.
 * - CPUS, if the CPU on which a sequence runs matters.
 * - PINNED, if each thread stays on the CPU that has the number of the thread.
 */

#define OUT          0
#define IN           1
#define COMMITTING   2   /* the committing instruction has begun */
#define RESTARTED    3   /* continues at the abort handler */
#define UNREGISTERED 4

byte sequence[THREADS];

#define REGISTERED (sequence[me] != UNREGISTERED)

/* The kernel may preempt the thread at each step. The thread then goes to its abort handler. */
#define PREEMPTED \
    :: atomic { REGISTERED -> sequence[me] = OUT; leave_cpu() }; break

/* One instruction of a sequence. */
#define STEP(instruction)                                                       \
    if                                                                          \
    :: atomic { sequence[me] == IN || !REGISTERED -> instruction }              \
    PREEMPTED                                                                   \
    fi

/* The committing instruction, if other threads see one atomic step. */
#define COMMIT(instruction)                                                     \
    if                                                                          \
    :: atomic { sequence[me] == IN || !REGISTERED -> instruction; leave() }     \
    PREEMPTED                                                                   \
    fi

/* The committing instruction, if it reads memory and then writes it: other CPUs act in between. */
#define COMMIT_UNLOCKED(read, write)                                            \
    if                                                                          \
    :: atomic { sequence[me] == IN -> sequence[me] = COMMITTING; read };        \
       atomic { write; leave() }                                                \
    PREEMPTED                                                                   \
    fi

/* Leaves the sequence without a commit. */
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

/* The CPU number that an unregistered thread reads. */
#define NOWHERE 255

/* For each CPU: the number of the thread in a sequence there, plus 1; or 0. */
byte runs[CPUS];

/* Each process has the number of its CPU in `here`. */
#ifdef MIGRATES_WITHOUT_RESTART
#define PREEMPTS(cpu) skip
#else
#define PREEMPTS(cpu)                                                           \
    if                                                                          \
    :: runs[cpu] -> sequence[runs[cpu] - 1] = RESTARTED                         \
    :: else                                                                     \
    fi
#endif

/* No thread is preempted in the middle of an instruction. */
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

/* The membarrier: restarts each thread that is in a sequence. The caller declares `visited`. */
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

/* A lock. `held` says whether a thread holds the lock. */
#define LOCK(held)   atomic { !held -> held = true }
#define UNLOCK(held) held = false
