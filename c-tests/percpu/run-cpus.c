/*
 * The number of counters is the configured number of CPUs, or the highest CPU on which the first thread may run
 * plus 1, whichever is larger. If this number is above 65536, there are no counters.
 *
 * without: asan, which asks sysconf() itself
 */
#define _GNU_SOURCE
#include "check.h"

#include <sched.h>
#include <sys/wait.h>

#define MOST (1 << 16)

static long configured;

/* Replaces libc's function, which the library calls for this one name. */
long sysconf(int name)
{
    return name == _SC_NPROCESSORS_CONF ? configured : -1;
}

static void release(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
}

/* In a process of its own: the first percpu_ref decides for all. */
static void counts_on(unsigned int cpus)
{
    static struct percpu_ref ref;
    int status;
    pid_t child = fork();

    CHECK(child >= 0);
    if (!child) {
        CHECK(!percpu_ref_init(&ref, release, 0));
        CHECK(ref.cpus == cpus && !ref.counters == !cpus);
        percpu_ref_get(&ref);
        percpu_ref_kill(&ref);
        CHECK(!percpu_ref_is_zero(&ref));
        percpu_ref_put(&ref);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
}

static void run_on(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    CHECK(!sched_setaffinity(0, sizeof set, &set));
}

int main(void)
{
    cpu_set_t set;
    int lowest = 0, highest = CPU_SETSIZE - 1;

    if (!kref_rseq_available() || sched_getaffinity(0, sizeof set, &set))
        return 0;
    while (!CPU_ISSET(lowest, &set))
        lowest++;
    while (!CPU_ISSET(highest, &set))
        highest--;

    configured = MOST;
    counts_on(MOST);
    configured = MOST + 1;
    counts_on(0);
    configured = -1; /* sysconf() does not know */
    counts_on((unsigned)highest + 1);
    configured = 1; /* fewer than there are */
    run_on(highest);
    counts_on((unsigned)highest + 1);
    run_on(lowest);
    counts_on((unsigned)lowest + 1);
    return 0;
}
