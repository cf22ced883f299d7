/*
 * A handler interrupts the program wherever it is, also in the tracker. With "report" the handler asks for a report
 * each time, with "exit" it ends the program at last.
 */
#include "../object.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>

#define SIGNALS 300

static volatile sig_atomic_t signals;
static int null, reports;

static void handle(int signal)
{
    struct itimerval never = { { 0, 0 }, { 0, 0 } };

    (void)signal;
    /* On a busy machine a report takes longer than the timer: the program itself would never run. */
    if (++signals == SIGNALS)
        setitimer(ITIMER_REAL, &never, NULL);
    if (reports)
        kref_track_report(null);
    else if (signals == SIGNALS)
        exit(0);
}

int main(int argc, char **argv)
{
    struct itimerval often = { { 0, 97 }, { 0, 97 } };
    struct sigaction action = { .sa_handler = handle };
    struct object *kept[64] = { NULL };
    unsigned int i;

    CHECK(argc == 2);
    reports = strcmp(argv[1], "report") == 0;
    null = open("/dev/null", O_WRONLY);
    CHECK(null >= 0 && sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    for (i = 0; signals < SIGNALS; i++) {
        struct object **place = &kept[i * 7 % 64];

        if (*place)
            object_put(*place);
        *place = object_new();
        for (unsigned int gets = i % 5; gets > 0; gets--) {
            kref_get(&(*place)->kref);
            object_put(*place);
        }
    }
    _exit(0);
}
