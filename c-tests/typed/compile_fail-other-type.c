/*
 * session_unref() takes a session and no other type.
 * says: incompatible pointer type
 */
#include "../harness/check.h"

struct session {
    struct kref kref;
};

struct job {
    struct kref kref;
};

static void session_free(struct session *session)
{
    free(session);
}

static void job_free(struct job *job)
{
    free(job);
}

KREF_DEFINE(session, struct session, kref, session_free);
KREF_DEFINE(job, struct job, kref, job_free);

int main(void)
{
    struct job *job = malloc(sizeof *job);

    CHECK(job);
    job_ref_init(job);
#ifdef WRONG
    session_unref(job);
#else
    job_unref(job);
#endif
    return 0;
}
