/* A pool of sessions, for the programs about pools. */
#include "check.h"

struct session {
    int requests;
    struct kref kref;
};

static void session_release(struct kref *kref);
static struct kref_pool pool = KREF_POOL_INIT(struct session, kref, session_release);

static void session_release(struct kref *kref)
{
    kref_pool_free(&pool, kref);
}
