/*
 * Closes all descriptors, as daemons do, and writes its data to a file that gets one of the closed numbers. With a
 * second argument it is also asked for a report by SIGUSR1, and forks. The tracker must not touch the file.
 */
#define _GNU_SOURCE
#include "../object.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

static int data;

static void put_down(const char *text)
{
    CHECK(write(data, text, strlen(text)) == (ssize_t)strlen(text));
}


static void ask_and_fork(void)
{
    pid_t pid;

    raise(SIGUSR1);
    pid = fork();
    if (pid == 0) {
        put_down("CHILD");
        _exit(0);
    }
    CHECK(waitpid(pid, NULL, 0) == pid);
}

int main(int argc, char **argv)
{
    struct object *object = object_new();

    CHECK(argc >= 2);
    kref_init(&object->kref); /* misuse: a report is written */
    closefrom(3);
    data = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(data >= 0);
    put_down("DATA");
    if (argc > 2)
        ask_and_fork();
    put_down("MORE");
    kref_get(&object->kref);
    return 0;
}
