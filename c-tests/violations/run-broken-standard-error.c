/*
 * A line that cannot be written: standard error is a pipe or a socket without a reader, or a file at the
 * limit of its size. The write raises SIGPIPE or SIGXFSZ, and either would end the program. The program
 * goes on and sees no signal of this write. Its handler, its mask and its own pending signals stay.
 *
 * without: qemu-user, which writes a /proc/self/maps of its own, and a file must not grow here
 */
#define _GNU_SOURCE
#include "number_line.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum before { DEFAULT, HANDLED, BLOCKED, PENDING_IN_THREAD, PENDING_IN_PROCESS };

static volatile int handled;

static void on_signal(int number)
{
    (void)number;
    handled++;
}

static int broken_pipe(void)
{
    int ends[2];

    CHECK(!pipe(ends) && !close(ends[0]));
    return ends[1];
}

static int broken_socket(void)
{
    int ends[2];

    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends) && !close(ends[0]));
    return ends[1];
}

static int full_file(void)
{
    struct rlimit limit;
    FILE *file = tmpfile();

    CHECK(file && !getrlimit(RLIMIT_FSIZE, &limit));
    limit.rlim_cur = 0;
    CHECK(!setrlimit(RLIMIT_FSIZE, &limit));
    return fileno(file);
}

static int is_pending(int number)
{
    sigset_t set;

    CHECK(!sigpending(&set));
    return sigismember(&set, number);
}

static void prepare(int number, enum before before)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, number);
    CHECK(signal(number, before == DEFAULT ? SIG_DFL : on_signal) != SIG_ERR);
    if (before >= BLOCKED)
        CHECK(!pthread_sigmask(SIG_BLOCK, &set, NULL));
    if (before == PENDING_IN_THREAD)
        CHECK(!pthread_kill(pthread_self(), number));
    if (before == PENDING_IN_PROCESS)
        CHECK(!kill(getpid(), number));
}

/* In a process of its own: the first violation at a place writes a line, the second one does not. */
static void misuse(int (*broken)(void), int number, enum before before)
{
    struct kref kref = { { SATURATED } };
    int real = dup(STDERR_FILENO), fd = broken();
    struct sigaction action_before, action;
    sigset_t mask_before, mask;

    prepare(number, before);
    CHECK(!sigaction(number, NULL, &action_before));
    CHECK(!pthread_sigmask(SIG_SETMASK, NULL, &mask_before));

    CHECK(dup2(fd, STDERR_FILENO) == STDERR_FILENO);
    errno = 4711;
    kref_get(&kref);
    CHECK(dup2(real, STDERR_FILENO) == STDERR_FILENO && errno == 4711);

    CHECK(!handled);
    CHECK(is_pending(number) == (before >= PENDING_IN_THREAD));
    CHECK(!sigaction(number, NULL, &action) && action.sa_handler == action_before.sa_handler);
    CHECK(!pthread_sigmask(SIG_SETMASK, NULL, &mask));
    for (int other = 1; other < NSIG; other++)
        CHECK(sigismember(&mask, other) == sigismember(&mask_before, other));
}

static void check(int (*broken)(void), int number)
{
    for (int before = DEFAULT; before <= PENDING_IN_PROCESS; before++) {
        int status;
        pid_t child = fork();

        CHECK(child >= 0);
        if (!child) {
            misuse(broken, number, (enum before)before);
            _exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child);
        if (!WIFEXITED(status) || WEXITSTATUS(status))
            dprintf(STDERR_FILENO, "signal %d, before %d: status %#x\n", number, before, status);
        CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
    }
}

int main(void)
{
    check(broken_pipe, SIGPIPE);
    check(broken_socket, SIGPIPE);
    check(full_file, SIGXFSZ);
    return 0;
}
