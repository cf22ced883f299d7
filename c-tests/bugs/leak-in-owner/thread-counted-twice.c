/*
 * kref_thread_create() takes the thread's reference, but the kref_get() that was needed before
 * pthread_create() is still there. Seen after a conversion to kref_thread_create().
 * The thread's put matches kref_thread_create(), so the reference of kref_get() is left over.
 *
 * found by: leak
 */
#include "check.h"

struct upload {
    char file[16];
    struct kref kref;
    int done;
};

static void upload_release(struct kref *kref)
{
    free(kref_entry(kref, struct upload, kref));
}

static void *run(void *arg)
{
    struct upload *upload = arg;

    upload->done = 1;
    kref_put(&upload->kref, upload_release);
    return NULL;
}

static pthread_t launch(struct upload *upload)
{
    pthread_t thread;

#ifndef RIGHT
    kref_get(&upload->kref); /* FIX */ /* BLAME */
#endif
    CHECK(!kref_thread_create(&thread, NULL, run, upload, &upload->kref, upload_release));
    return thread;
}

int main(void)
{
    struct upload *upload = calloc(1, sizeof *upload);

    CHECK(upload);
    kref_init(&upload->kref);
    join(launch(upload));
    CHECK(upload->done);
    kref_put(&upload->kref, upload_release);
    return 0;
}
