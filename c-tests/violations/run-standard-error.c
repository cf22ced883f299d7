/*
 * Standard error is descriptor 2, whatever the program has put there since libkref was loaded: a
 * daemon's log, put there by dup2(); or a file that took the number after close(2). kref.h says so.
 */
#define _GNU_SOURCE
#include "number_line.h"

#include <fcntl.h>

static char said[4096];

/* How many lines the file has, whose text is in said then. */
static int lines_of(int file)
{
    ssize_t length = pread(file, said, sizeof said - 1, 0);

    said[length > 0 ? length : 0] = 0;
    return lines(said);
}

static int new_file(int flags)
{
    int file = open("/tmp", O_TMPFILE | flags, 0600);

    CHECK(file >= 0);
    return file;
}

int main(void)
{
    struct kref kref = { { SATURATED } };
    int real = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3), log = new_file(O_RDWR | O_APPEND), data;
    int lines_in_log, lines_in_data;

    CHECK(dup2(log, STDERR_FILENO) == STDERR_FILENO);
    kref_get(&kref);

    close(STDERR_FILENO);
    data = new_file(O_RDWR);
    kref_count_dec(&kref.refcount);
    lines_in_data = data == STDERR_FILENO ? lines_of(data) : -1;

    CHECK(dup2(real, STDERR_FILENO) == STDERR_FILENO);
    lines_in_log = lines_of(log);
    CHECK(lines_in_log == 1 && lines_in_data == 1);
    return 0;
}
