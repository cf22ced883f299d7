/*
 * A thread's cleanup handler puts the object, in case the thread is cancelled. The normal way out
 * also runs the handler, and then puts once more. Seen with cleanup handlers, signal paths and goto
 * labels.
 *
 * found by: put-after-release
 */
#include "check.h"

struct task {
    char name[16];
    struct kref kref;
    int done;
};

static void task_release(struct kref *kref)
{
    free(kref_entry(kref, struct task, kref));
}

static void clean_up(void *task)
{
    kref_put(&((struct task *)task)->kref, task_release);
}

static void *run(void *arg)
{
    struct task *task = arg;

    pthread_cleanup_push(clean_up, task);
    task->done = 1;
    pthread_testcancel();
    pthread_cleanup_pop(1);
#ifndef RIGHT
    kref_put(&task->kref, task_release); /* FIX */ /* BLAME */
#endif
    return NULL;
}

int main(void)
{
    struct task *task = calloc(1, sizeof *task);
    pthread_t thread;

    CHECK(task);
    kref_init(&task->kref);
    start(&thread, run, task); /* the thread takes over our reference */
    join(thread);
    return 0;
}
