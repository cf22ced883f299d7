/*
 * Each thread has a context, and a thread-specific key whose destructor puts it. A worker puts its context
 * itself, too, before it returns. Seen where the destructor was added later.
 *
 * found by: put-after-release
 */
#include "check.h"

struct context {
    int calls;
    struct kref kref;
};

static pthread_key_t key;

static void context_release(struct kref *kref)
{
    free(kref_entry(kref, struct context, kref));
}

static void at_thread_end(void *context)
{
    kref_put(&((struct context *)context)->kref, context_release); /* BLAME */
}

static void *work(void *unused)
{
    struct context *context = calloc(1, sizeof *context);

    CHECK(context);
    kref_init(&context->kref);
    CHECK(pthread_setspecific(key, context) == 0);
    context->calls++;
#ifndef RIGHT
    kref_put(&context->kref, context_release);
#endif
    return unused;
}

int main(void)
{
    pthread_t thread;

    CHECK(pthread_key_create(&key, at_thread_end) == 0);
    start(&thread, work, NULL);
    join(thread);
    return 0;
}
