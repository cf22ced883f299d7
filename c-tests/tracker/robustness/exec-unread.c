/*
 * A program executes another one, which is not tracked, while the judge is stopped. So the judge sees the new program
 * before it has read the last puts of the old one. The two pauses only make sure that the judge sees that: they are
 * longer than the 250 ms from one look at the processes to the next.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>

#include "../object.h"

/* The judge reads 4096 records in one turn, and the ring of a thread has room for 20,000. */
#define MANY 6000
#define PAUSE 300000

/* The path of the memory that the program shares with the judge begins with "/proc/" and the judge's number. */
static int judge_of_session(void)
{
    const char *session = getenv("KREF_TRACK_SESSION");

    return session && !strncmp(session, "/proc/", 6) ? atoi(session + 6) : 0;
}

/* When the program has executed cat, lets the judge go on. Then cat, which reads from `other`, ends. */
static void go_on(int executed, int other, int judge)
{
    char byte;

    CHECK(read(executed, &byte, 1) == 0);
    usleep(PAUSE);
    CHECK(!kill(judge, SIGCONT));
    usleep(PAUSE);
    close(other);
    _exit(0);
}

int main(void)
{
    int judge = judge_of_session(), executed[2], input[2], i;
    struct object *object = object_new();
    pid_t child;

    CHECK(judge > 0);
    CHECK(!pipe2(executed, O_CLOEXEC) && !pipe2(input, O_CLOEXEC));
    child = fork();
    CHECK(child >= 0);
    if (!child) {
        close(executed[1]);
        close(input[0]);
        go_on(executed[0], input[1], judge);
    }
    CHECK(dup2(input[0], STDIN_FILENO) == STDIN_FILENO);
    CHECK(!kill(judge, SIGSTOP));
    for (i = 0; i < MANY; i++)
        kref_get(&object->kref);
    for (i = 0; i < MANY; i++)
        object_put(object);
    object_put(object);
    execl("/bin/cat", "cat", (char *)NULL);
    kill(judge, SIGCONT);
    return 1;
}
