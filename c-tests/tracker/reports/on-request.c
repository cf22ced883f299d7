/* Reports while the program runs: after a checkpoint, and at a signal. */
#include "../object.h"
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

static struct object *early(void)
{
    return object_new();
}

static struct object *late(void)
{
    return object_new();
}

int main(int argc, char **argv)
{
    struct object *before = early(), *after;
    struct timespec short_time = { 0, 1000000 };
    struct stat log;

    CHECK(kref_track_checkpoint() == 0);
    after = late();
    CHECK(kref_track_report(STDOUT_FILENO) == 0);
    if (argc > 1) {
        CHECK(raise(SIGUSR1) == 0);
        while (stat(argv[1], &log) != 0 || log.st_size == 0) /* until the report is there */
            nanosleep(&short_time, NULL);
    }
    object_put(before);
    object_put(after);
    return 0;
}
