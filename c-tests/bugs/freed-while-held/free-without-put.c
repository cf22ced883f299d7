/*
 * A call of free() has been left over from the time when the object was not counted. The memory is
 * freed while the count is 1, and release never runs. Seen after a conversion to reference counts.
 *
 * found by: freed-unshared
 */
#include "check.h"

struct session {
    char user[712];
    struct kref kref;
    char *history;
};

static void session_release(struct kref *kref)
{
    struct session *session = kref_entry(kref, struct session, kref);

    free(session->history);
    free(session);
}

static struct session *session_new(const char *user)
{
    struct session *session = malloc(sizeof *session);

    CHECK(session);
    kref_init(&session->kref);
    snprintf(session->user, sizeof session->user, "%s", user);
    session->history = strdup(user);
    CHECK(session->history);
    return session;
}

static void reject(struct session *session)
{
#ifdef RIGHT
    kref_put(&session->kref, session_release); /* FIX */
#else
    free(session); /* BLAME */
#endif
}

int main(void)
{
    struct session *session = session_new("mallory");

    reject(session);
    session = session_new("alice");
    kref_put(&session->kref, session_release);
    return 0;
}
