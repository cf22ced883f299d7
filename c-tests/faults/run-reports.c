/*
 * A violation's report, and a new violation handler, with each system call and each allocation failing:
 * once, or from then on. The program goes on. The line is written, with bare addresses where the library
 * cannot learn the file, or the line is lost. The caller's errno and signal mask stay. A handler for which
 * there is no memory is not set, and a line says so.
 *
 * without: asan, which has an allocator and system calls of its own
 * without: memcheck, which has, too
 * without: qemu-user, which has no seccomp()
 * without: musl, whose malloc() has no other name
 */
#define _GNU_SOURCE
#include "faults.h"
#include "misuse.h"
#include "number_line.h"

#include <fcntl.h>
#include <signal.h>

static struct kref kref = { { RELEASED } };

OPERATION(misuse, kref_get(&kref))

static int read_end, real_standard_error;

static void open_standard_error(void)
{
    int ends[2];

    CHECK(!pipe2(ends, O_NONBLOCK) && (real_standard_error = dup(STDERR_FILENO)) > 0);
    CHECK(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    read_end = ends[0];
}

static void close_standard_error(void)
{
    CHECK(dup2(real_standard_error, STDERR_FILENO) == STDERR_FILENO);
}

/* The text that was written to standard error. */
static const char *written(void)
{
    static char text[4096];
    ssize_t length = read(read_end, text, sizeof text - 1);

    text[length > 0 ? length : 0] = 0;
    return text;
}

#define CHECK_TEXT(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            dprintf(STDERR_FILENO, "was written: %s\n", text);                                     \
            CHECK(condition);                                                                      \
        }                                                                                          \
    } while (0)

/* The signals that are blocked now and were not before. */
static int newly_blocked(const sigset_t *before)
{
    sigset_t now;
    int n = 0;

    CHECK(!pthread_sigmask(SIG_SETMASK, NULL, &now));
    for (int number = 1; number < NSIG; number++) {
        CHECK(sigismember(&now, number) >= sigismember(before, number));
        n += sigismember(&now, number) - sigismember(before, number);
    }
    return n;
}

/* Reports one violation. The thread has blocked SIGUSR1. */
static __attribute__((noinline)) void report(void)
{
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    CHECK(!pthread_sigmask(SIG_BLOCK, &mask, NULL) && !pthread_sigmask(SIG_BLOCK, NULL, &mask));
    begin_faults();
    errno = 4711;
    misuse();
    CHECK(errno == 4711);
    end_faults();
    close_standard_error();
    CHECK(!newly_blocked(&mask) || failed(SYS_rt_sigprocmask));
    CHECK(kref_read(&kref) == (unsigned int)KREF_SATURATED);
}

/* The line of a run in which nothing fails, and the number of lines with the caller's bare address. */
static struct {
    char whole[4096];
    int bare;
} *all_lines;

static void line(void)
{
    static const char until[] = "called from ";
    const char *text, *place;

    open_standard_error();
    report();
    text = written();
    place = strstr(text, until);
    if (failed(SYS_write) && faults.mode != INTERRUPTED) {
        CHECK_TEXT(!*text);
        return;
    }
    CHECK_TEXT(lines(text) == 1 && place);
    place += strlen(until);
    if (*place == '/') {
        size_t same = strlen(text);

        if (failed(SYS_openat) || failed(SYS_read) || failed(SYS_getpid) || failed(SYS_process_vm_readv))
            same = strcspn(place, ",)") + (size_t)(place - text); /* up to "perhaps from" */
        CHECK_TEXT(!strncmp(text, all_lines->whole, same));
    } else { /* the call's last byte */
        CHECK_TEXT(failed(SYS_openat) || failed(SYS_read));
        CHECK_TEXT(is_in((char *)strtoul(place, NULL, 16) + 1, misuse));
        all_lines->bare++;
    }
}

/* The first run: nothing fails. */
static void line_without_faults(void)
{
    pid_t child = fork();
    int status;

    CHECK(child >= 0);
    if (!child) {
        open_standard_error();
        report();
        strcpy(all_lines->whole, written());
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(strstr(all_lines->whole, "called from /"));
}

/* Nobody reads what is written to standard error. */
static void broken_line(void)
{
    open_standard_error();
    close(read_end);
    report();
}

/* The library cannot keep SIGPIPE from the thread if the kernel refuses to block it or to take it back. */
static int by_broken_pipe(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE &&
           (runs->last_failed == SYS_rt_sigprocmask || runs->last_failed == SYS_rt_sigtimedwait);
}

static void handler(void)
{
    static struct told old, new;
    const char *text;

    kref_set_violation_handler(remember, &old);
    open_standard_error();
    begin_faults();
    kref_set_violation_handler(remember, &new);
    end_faults();
    misuse();
    close_standard_error();
    CHECK(old.times == failed(MALLOC) && new.times == !failed(MALLOC));
    text = written();
    CHECK_TEXT(lines(text) == old.times && (!old.times || strstr(text, "no memory")));
}

int main(void)
{
    all_lines = mmap(NULL, sizeof *all_lines, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                     0);
    CHECK(all_lines != MAP_FAILED);
    line_without_faults();
    try_each("line", line, NULL);
    CHECK(all_lines->bare);
    try_each("broken_line", broken_line, by_broken_pipe);
    try_each("handler", handler, NULL);

    CHECK(failed_somewhere(MALLOC) && failed_somewhere(SYS_write) && failed_somewhere(SYS_openat));
    CHECK(failed_somewhere(SYS_read) && failed_somewhere(SYS_close));
    CHECK(failed_somewhere(SYS_rt_sigprocmask) && failed_somewhere(SYS_rt_sigtimedwait));
    return 0;
}
