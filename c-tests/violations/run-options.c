/*
 * KREF_OPTIONS: for each value a new process checks what a violation does, and which message
 * appears for an unknown option.
 *
 * without: memcheck, whose reports on the child processes would be part of the output
 * without: qemu-user, because the kernel cannot run /proc/self/exe, a program of another processor
 */
#include "check.h"

#include <signal.h>
#include <sys/wait.h>

struct ending {
    int status;
    char text[4096];
};

static int misuse_once(void)
{
    struct kref kref = KREF_INIT(0);

    kref_get(&kref);
    return 0;
}

/* Runs this program again with these options (NULL: none). `what` is "misuse" or "nothing". */
static struct ending with(char *self, const char *options, const char *what)
{
    struct ending ending = { 0, "" };
    size_t length = 0;
    ssize_t n;
    int ends[2];
    pid_t child;

    CHECK(!pipe(ends));
    child = fork();
    CHECK(child >= 0);
    if (!child) {
        char *arguments[] = { self, (char *)what, NULL };

        if (options)
            setenv("KREF_OPTIONS", options, 1);
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        execv("/proc/self/exe", arguments);
        _exit(127);
    }
    close(ends[1]);
    while ((n = read(ends[0], ending.text + length, sizeof ending.text - 1 - length)) > 0)
        length += (size_t)n;
    close(ends[0]);
    CHECK(waitpid(child, &ending.status, 0) == child);
    return ending;
}

static int ended_well(struct ending *ending)
{
    return WIFEXITED(ending->status) && WEXITSTATUS(ending->status) == 0;
}

static int aborted(struct ending *ending)
{
    return WIFSIGNALED(ending->status) && WTERMSIG(ending->status) == SIGABRT;
}

#define CHECK_ENDING(condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "status %d, said: %s\n", e.status, e.text);                            \
            CHECK(condition);                                                                      \
        }                                                                                          \
    } while (0)

int main(int argc, char **argv)
{
    static char long_key[600];
    struct ending e;

    if (argc > 1)
        return strcmp(argv[1], "misuse") ? 0 : misuse_once();

    e = with(argv[0], NULL, "misuse");
    CHECK_ENDING(ended_well(&e) && lines(e.text) == 1 && strstr(e.text, "get on a count of zero"));
    e = with(argv[0], "on_violation=warn", "misuse");
    CHECK_ENDING(ended_well(&e) && lines(e.text) == 1);
    e = with(argv[0], "on_violation=quiet", "misuse");
    CHECK_ENDING(ended_well(&e) && !*e.text);
    e = with(argv[0], "on_violation=abort", "misuse");
    CHECK_ENDING(aborted(&e) && strstr(e.text, "get on a count of zero"));
    e = with(argv[0], "on_violation=abort", "nothing");
    CHECK_ENDING(ended_well(&e) && !*e.text);

    /* The last value of an option counts. Empty options are allowed. */
    e = with(argv[0], ":on_violation=abort::on_violation=quiet:", "misuse");
    CHECK_ENDING(ended_well(&e) && !*e.text);
    e = with(argv[0], "", "misuse");
    CHECK_ENDING(ended_well(&e) && lines(e.text) == 1);

    /* A wrong option is reported at the start, with the right values. The other options are used. */
    e = with(argv[0], "on_violatoin=abort", "nothing");
    CHECK_ENDING(ended_well(&e) && lines(e.text) == 1);
    CHECK_ENDING(strstr(e.text, "\"on_violatoin\"") && strstr(e.text, "on_violation=abort"));
    e = with(argv[0], "on_violation=panic:on_violation=quiet", "misuse");
    CHECK_ENDING(ended_well(&e) && lines(e.text) == 1);
    CHECK_ENDING(strstr(e.text, "\"panic\"") && strstr(e.text, "on_violation=warn"));
    e = with(argv[0], "on_violation", "nothing");
    CHECK_ENDING(lines(e.text) == 1 && strstr(e.text, "on_violation"));
    e = with(argv[0], "=abort", "nothing");
    CHECK_ENDING(lines(e.text) == 1);

    /* A long wrong option is shortened. */
    memset(long_key, 'x', sizeof long_key - 3);
    e = with(argv[0], strcat(long_key, "=1"), "nothing");
    CHECK_ENDING(lines(e.text) == 1 && strstr(e.text, "x...\"") && strstr(e.text, "=quiet\n"));

    /* Control characters of a wrong option are not printed. */
    e = with(argv[0], "\033[2Jx=1", "nothing");
    CHECK_ENDING(lines(e.text) == 1 && !strchr(e.text, '\033'));
    return 0;
}
