/*
 * kref_thread_create() takes the thread's reference, and the kref_get() that stood before
 * pthread_create() was left in place. Met after a conversion to the safer call.
 * The thread's put belongs to kref_thread_create(); the get before it is the one too many.
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
