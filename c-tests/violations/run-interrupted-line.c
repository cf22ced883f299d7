/*
 * A signal handler interrupts the write of the violation line. Standard error is a full pipe, so the write
 * waits, and fails with EINTR before it has written a byte. The library writes the line again.
 */
#define _GNU_SOURCE
#include "number_line.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

static pid_t writer;
static int handled;

static void on_signal(int number)
{
    (void)number;
    __atomic_store_n(&handled, 1, __ATOMIC_RELEASE);
}

static void *misuse(void *unused)
{
    struct kref kref = { { SATURATED } };

    __atomic_store_n(&writer, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    kref_get(&kref);
    return unused;
}

/* Fills the pipe, and returns how many bytes that takes. */
static size_t fill(int pipe)
{
    size_t filled = 0;

    CHECK(!fcntl(pipe, F_SETFL, O_NONBLOCK));
    while (write(pipe, "x", 1) == 1)
        filled++;
    CHECK(!fcntl(pipe, F_SETFL, 0));
    return filled;
}

/* Whether the thread waits in a system call. The thread makes no other one that waits. */
static int sleeps(pid_t thread)
{
    char path[64], state = 0;
    FILE *stat;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    stat = fopen(path, "r");
    CHECK(stat && fscanf(stat, "%*d (%*[^)]) %c", &state) == 1 && !fclose(stat));
    return state == 'S';
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART */
    static char said[1024];
    int real = dup(STDERR_FILENO), ends[2];
    size_t filled, length = 0;
    pthread_t thread;
    ssize_t got;

    CHECK(!sigaction(SIGUSR1, &action, NULL));
    CHECK(!pipe(ends));
    filled = fill(ends[1]);
    CHECK(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO && !close(ends[1]));

    start(&thread, misuse, NULL);
    while (!__atomic_load_n(&writer, __ATOMIC_ACQUIRE) || !sleeps(writer))
        sched_yield();
    CHECK(!pthread_kill(thread, SIGUSR1));
    while (!__atomic_load_n(&handled, __ATOMIC_ACQUIRE))
        sched_yield();
    for (; filled; filled--)
        CHECK(read(ends[0], said, 1) == 1);
    join(thread);

    CHECK(dup2(real, STDERR_FILENO) == STDERR_FILENO); /* closes the pipe's end */
    while ((got = read(ends[0], said + length, sizeof said - 1 - length)) > 0)
        length += (size_t)got;
    said[length] = 0;
    CHECK(lines(said) == 1 && !strncmp(said, "kref: ", 6) && said[length - 1] == '\n');
    return 0;
}
