/*
 * A report to a pipe that is full: its thread waits until somebody reads, and nobody else may wait for that. With
 * "fork" a child asks, and the parent exits. With "abort" a thread asks, and another aborts. With "cancel" and "end"
 * the thread that asks is cancelled, and ends in a signal handler. With "jump" a signal handler jumps out of the
 * report. After the last three the program asks for another report. With "large" the
 * child's report has more bytes than the judge can hand out at once, and the parent exits with an object.
 */
#include "../object.h"
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

static int ends[2];
static const char *how;
static sigjmp_buf before;

static void fill(void)
{
    static const char bytes[4096];

    CHECK(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
    while (write(ends[1], bytes, sizeof bytes) > 0 || write(ends[1], bytes, 1) > 0)
        ;
    CHECK(fcntl(ends[1], F_SETFL, 0) == 0);
}

static void *ask(void *unused)
{
    if (!sigsetjmp(before, 1))
        kref_track_report(ends[1]);
    return unused;
}

/* The recorder itself never sleeps: a thread that sleeps is in the write. `tasks` is its process's folder. */
static void wait_until_asleep(const char *tasks, int number)
{
    char name[64], line[256], *state;
    FILE *file;

    snprintf(name, sizeof name, "/proc/%s%d/stat", tasks, number);
    do {
        file = fopen(name, "r");
        CHECK(file && fgets(line, sizeof line, file));
        fclose(file);
        state = strrchr(line, ')');
    } while (!state || state[2] != 'S');
}

static struct object *taken(int depth)
{
    struct object *object = depth ? taken(depth - 1) : object_new();

    /* Behind the call, so that each depth is a frame. */
    object->name[0] = 1;
    return object;
}

/* Each object is held from another stack: about 1,000 bytes of a report in JSON. */
static void ask_for_much(void)
{
    struct object *objects[12][40];
    int i, j;

    for (i = 0; i < 12; i++)
        for (j = 0; j < 40; j++)
            objects[i][j] = taken(j);
    kref_track_report(ends[1]);
    for (i = 0; i < 12; i++)
        for (j = 0; j < 40; j++)
            object_put(objects[i][j]);
}

static int asker;

static void *ask_in_thread(void *unused)
{
    __atomic_store_n(&asker, gettid(), __ATOMIC_RELEASE);
    return ask(unused);
}

static void handle(int signal)
{
    (void)signal;
    if (strcmp(how, "jump") == 0)
        siglongjmp(before, 1);
    pthread_exit(NULL);
}

static void *drain(void *unused)
{
    char bytes[4096];

    while (read(ends[0], bytes, sizeof bytes) > 0)
        ;
    return unused;
}

int main(int argc, char **argv)
{
    struct sigaction action = { .sa_handler = handle };
    struct object *object = object_new();
    pthread_t thread, reader;
    int number;

    CHECK(argc == 2 && pipe(ends) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
    how = argv[1];
    fill();
    if (strcmp(how, "fork") == 0 || strcmp(how, "large") == 0) {
        number = fork();
        CHECK(number >= 0);
        if (number == 0) {
            /* The only other reader is the parent. */
            close(ends[0]);
            if (strcmp(how, "large") == 0)
                ask_for_much();
            else
                kref_track_report(ends[1]);
            _exit(0);
        }
        wait_until_asleep("", number);
        /* Kept: the report at exit says so. */
        if (strcmp(how, "large") != 0)
            object_put(object);
        return 0;
    }
    CHECK(pthread_create(&thread, NULL, ask_in_thread, NULL) == 0);
    while (!(number = __atomic_load_n(&asker, __ATOMIC_ACQUIRE)))
        ;
    wait_until_asleep("self/task/", number);
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "cancel") == 0)
        CHECK(pthread_cancel(thread) == 0);
    else
        CHECK(pthread_kill(thread, SIGUSR1) == 0);
    if (strcmp(how, "cancel") != 0)
        CHECK(pthread_join(thread, NULL) == 0);
    CHECK(pthread_create(&reader, NULL, drain, NULL) == 0);
    if (strcmp(how, "cancel") == 0)
        CHECK(pthread_join(thread, NULL) == 0);
    kref_track_report(ends[1]);
    close(ends[1]);
    CHECK(pthread_join(reader, NULL) == 0);
    object_put(object);
    return 0;
}
