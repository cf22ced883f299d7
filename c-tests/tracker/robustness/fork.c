/* Forks while four threads get and put. Neither parent nor child may hang or leak. */
#include "../object.h"
#include <sys/wait.h>

/* Under ThreadSanitizer each fork takes a second; ci/boot/build.sh has a number of its own. */
#ifndef FORKS
#ifdef KREF_TSAN
#define FORKS 10
#else
#define FORKS 30
#endif
#endif

static struct object *shared;
static int stop;

static void *work(void *unused)
{
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        struct object *own = object_new();

        kref_get(&shared->kref);
        object_put(own);
        object_put(shared);
    }
    return unused;
}

static void child(void)
{
    struct object *own = object_new();

    kref_get(&shared->kref);
    object_put(shared);
    object_put(own);
    exit(0); /* the references that the parent holds are no leak of the child */
}

int main(void)
{
    pthread_t threads[4];
    int i;

    shared = object_new();
    for (i = 0; i < 4; i++)
        start(&threads[i], work, NULL);
    for (i = 0; i < FORKS; i++) {
        pid_t pid = fork();
        int status;

        CHECK(pid >= 0);
        if (pid == 0)
            child();
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (i = 0; i < 4; i++)
        join(threads[i]);
    object_put(shared);
    return 0;
}
