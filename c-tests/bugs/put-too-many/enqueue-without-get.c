/*
 * Work is queued without a reference for the queue. The submitter puts its own reference, and later
 * the event loop runs and puts an object that is gone. Seen in work queues and completion lists.
 *
 * found by: put-after-release
 */
#include "check.h"

struct work {
    char name[16];
    struct kref kref;
    struct work *next;
};

static struct work *queue;

static void work_release(struct kref *kref)
{
    free(kref_entry(kref, struct work, kref));
}

static void submit(struct work *work)
{
#ifdef RIGHT
    kref_get(&work->kref); /* FIX */
#endif
    work->next = queue;
    queue = work;
}

static void run_queue(void)
{
    struct work *work = queue;

    queue = NULL;
    while (work) {
        struct work *next = work->next;

        kref_put(&work->kref, work_release); /* BLAME */
        work = next;
    }
}

int main(void)
{
    struct work *work = calloc(1, sizeof *work);

    CHECK(work);
    kref_init(&work->kref);
    submit(work);
    kref_put(&work->kref, work_release);
    run_queue();
    return 0;
}
