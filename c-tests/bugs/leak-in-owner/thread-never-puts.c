/*
 * kref_thread_create() takes the thread's reference, and the thread returns without a put. Seen
 * where a thread used to borrow its argument.
 * The line to blame is kref_thread_create(), where the reference was taken.
 *
 * found by: leak
 */
#include "check.h"

struct scan {
    char root[16];
    struct kref kref;
    int files;
};

static void scan_release(struct kref *kref)
{
    free(kref_entry(kref, struct scan, kref));
}

static void *run(void *arg)
{
    struct scan *scan = arg;

    scan->files = 12;
#ifdef RIGHT
    kref_put(&scan->kref, scan_release); /* FIX */
#endif
    return NULL;
}

int main(void)
{
    struct scan *scan = calloc(1, sizeof *scan);
    pthread_t thread;
    int error;

    CHECK(scan);
    kref_init(&scan->kref);
    error = kref_thread_create(&thread, NULL, run, scan, &scan->kref, scan_release); /* BLAME */
    CHECK(error == 0);
    join(thread);
    CHECK(scan->files == 12);
    kref_put(&scan->kref, scan_release);
    return 0;
}
