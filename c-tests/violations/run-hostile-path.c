/*
 * A program whose path has control characters in it: the line has printable characters alone, and stays
 * one line. The program copies itself to such a path and runs the copy.
 *
 * without: qemu-user, because the kernel cannot run the copy, a program of another processor
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ESC begins a command to a terminal, as 0x9b does in eight bits. The kernel writes the newline as \012. */
#define FOLDER "kref\033[2J\033]0;mine\007"
#define FILE_NAME "two\nlines\r\233"
#define SHOWN "kref?[2J?]0;mine?/two\\012lines??+0x"

static void copy_this_program(const char *to)
{
    int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    struct stat stat;

    CHECK(in >= 0 && out >= 0 && !fstat(in, &stat));
    while (lseek(out, 0, SEEK_CUR) < stat.st_size)
        CHECK(sendfile(out, in, NULL, (size_t)stat.st_size) > 0);
    CHECK(!close(in) && !close(out));
}

/* What the program at the path writes to standard error. */
static void run_it(char *path, char *text, size_t size)
{
    size_t length = 0;
    ssize_t n;
    int ends[2], status;
    pid_t child;

    CHECK(!pipe(ends));
    child = fork();
    CHECK(child >= 0);
    if (!child) {
        char *arguments[] = { path, "misuse", NULL };

        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execv(path, arguments);
        _exit(127);
    }
    close(ends[1]);
    while ((n = read(ends[0], text + length, size - 1 - length)) > 0)
        length += (size_t)n;
    close(ends[0]);
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
    char root[] = "/tmp/kref-XXXXXX", folder[128], path[256];
    static char text[4096];

    if (argc > 1) {
        struct kref kref = KREF_INIT(0);

        (void)argv;
        kref_get(&kref);
        return 0;
    }
    CHECK(mkdtemp(root));
    snprintf(folder, sizeof folder, "%s/" FOLDER, root);
    snprintf(path, sizeof path, "%s/" FILE_NAME, folder);
    CHECK(!mkdir(folder, 0700));
    copy_this_program(path);
    run_it(path, text, sizeof text);
    CHECK(!unlink(path) && !rmdir(folder) && !rmdir(root));

    CHECK(lines(text) == 1 && strstr(text, SHOWN));
    for (const char *at = text; *at != '\n'; at++)
        CHECK(*at >= ' ' && *at <= '~');
    return 0;
}
