/*
 * Requests that must leave no reference behind. Without an argument none does, although each takes and gives back, also
 * by another thread, and although a reference that was taken at the same place before stays. With the argument
 * "wrong" the request leaves two references on one session and a page behind.
 */
#include "../../harness/check.h"
#include <pthread.h>

struct session {
    struct kref kref;
};

static void session_free(struct session *session)
{
    free(session);
}

KREF_DEFINE(session, struct session, kref, session_free);
KREF_DEFINE(page, struct session, kref, session_free);

static struct session *shared, *cached, *current;

static struct session *session_new(void (*init)(struct session *session))
{
    struct session *session = malloc(sizeof *session);

    CHECK(session);
    init(session);
    return session;
}

__attribute__((noinline)) static struct session *take(struct session *session)
{
    return session_ref(session);
}

static void *work(void *session)
{
    session_unref(session);
    return NULL;
}

static void serve(int is_wrong)
{
    struct session *page = session_new(page_ref_init), *old = cached;
    pthread_t thread;

    take(shared);
    session_unref(shared);
    /* A reference in the place of another one. */
    cached = take(shared);
    session_unref(old);
    /* One that another thread gives back. */
    CHECK(!pthread_create(&thread, NULL, work, take(shared)));
    CHECK(!pthread_join(thread, NULL));
    if (is_wrong) {
        current = take(shared);
        take(shared);
    } else {
        page_unref(page);
    }
}

int main(int argc, char **argv)
{
    int is_wrong = argc > 1 && !strcmp(argv[1], "wrong"), is_tracked = argc > 2;
    unsigned int left;

    shared = session_new(session_ref_init);
    cached = take(shared);
    kref_balance_begin(NULL);
    kref_balance_begin("page");
    serve(is_wrong);
    left = kref_balance_end();
    CHECK(left == (is_wrong && is_tracked ? 1 : 0));
    left = kref_balance_end();
    CHECK(left == (is_wrong && is_tracked ? 3 : 0));
    CHECK(kref_balance_end() == 0);
    session_unref(cached);
    session_unref(shared);
    return 0;
}
