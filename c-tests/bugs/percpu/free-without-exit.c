/*
 * A constructor takes two percpu_refs, and one of its ways out forgets to exit the second one. What
 * the counters take is lost. Seen on ladders of goto labels.
 *
 * found by: no-exit
 */
#include "check.h"

struct context {
    struct percpu_ref users, requests;
    void *ring;
};

static void context_release(struct percpu_ref *ref)
{
    (void)ref;
}

static struct context *context_new(size_t size)
{
    struct context *context = calloc(1, sizeof *context);

    CHECK(context);
    if (percpu_ref_init(&context->users, context_release, 0))
        goto no_users;
    if (percpu_ref_init(&context->requests, context_release, 0))
        goto no_requests;
    context->ring = size > 1000 ? NULL : malloc(size);
    if (context->ring)
        return context;
#ifdef RIGHT
    percpu_ref_exit(&context->requests); /* FIX */
#endif
no_requests:
    percpu_ref_exit(&context->users);
no_users:
    free(context); /* BLAME */
    return NULL;
}

int main(void)
{
    struct context *context = context_new(100);

    CHECK(context && !context_new(4000));
    percpu_ref_exit(&context->users);
    percpu_ref_exit(&context->requests);
    free(context->ring);
    free(context);
    return 0;
}
