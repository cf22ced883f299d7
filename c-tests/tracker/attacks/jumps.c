/*
 * A handler leaves by siglongjmp(), as a shell's or an interpreter's does at Ctrl-C: often out of the tracker. Another
 * thread goes on all the time. Neither the program nor its judge may grow.
 */
#define _GNU_SOURCE
#include "../object.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

#define JUMPS 2000
#define MOST_KIB (64 * 1024)

static struct kref own[64], others[64];
static sigjmp_buf back;
static volatile sig_atomic_t jumps;
static unsigned int rounds;

static void keep(struct kref *kref)
{
    (void)kref;
}

static void handle(int signal)
{
    (void)signal;
    jumps++;
    siglongjmp(back, 1);
}

static void use(struct kref *krefs)
{
    for (int i = 0; i < 64; i++) {
        kref_init(&krefs[i]);
        kref_put(&krefs[i], keep);
    }
}

static void *work(void *unused)
{
    for (;;) {
        use(others);
        __atomic_add_fetch(&rounds, 1, __ATOMIC_RELAXED);
    }
    return unused;
}

/* The number behind `key` in a file of /proc. */
static long number(const char *path, const char *key)
{
    char line[512];
    long found = -1;
    FILE *file = fopen(path, "r");

    CHECK(file);
    while (found < 0 && fgets(line, sizeof line, file)) {
        char *at = strstr(line, key);

        if (at)
            found = strtol(at + strlen(key), NULL, 10);
    }
    fclose(file);
    return found;
}

static void check_memory(void)
{
    long judge = number("/proc/self/maps", "kref-track.");
    char path[64];

    /* Memory that is shared with the judge is no growth. */
    CHECK(number("/proc/self/status", "RssAnon:") < MOST_KIB);
    if (judge > 0) {
        snprintf(path, sizeof path, "/proc/%ld/status", judge);
        CHECK(number(path, "RssAnon:") < MOST_KIB);
    }
}

int main(void)
{
    struct sigaction action = { .sa_handler = handle };
    struct itimerval often = { { 0, 900 }, { 0, 900 } }, never = { { 0, 0 }, { 0, 0 } };
    unsigned int before;
    sigset_t alarms;
    pthread_t thread;

    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarms, NULL);
    start(&thread, work, NULL);
    pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
    sigsetjmp(back, 1);
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    while (jumps < JUMPS)
        use(own);
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    alarm(60);
    before = __atomic_load_n(&rounds, __ATOMIC_RELAXED);
    while (__atomic_load_n(&rounds, __ATOMIC_RELAXED) < before + 100)
        use(own);
    check_memory();
    _exit(0);
}
