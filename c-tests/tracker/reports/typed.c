/*
 * Objects of two types that are leaked, one of them by a generic put: the reports have the names of
 * KREF_DEFINE, although no put of theirs has told a release function, and not two sections of one title.
 */
#include "../../harness/check.h"

struct session {
    struct kref kref;
};

static void session_free(struct session *session)
{
    free(session);
}

KREF_DEFINE(session, struct session, kref, session_free);
KREF_DEFINE(connection, struct session, kref, session_free);

static struct session *leaked[8];

/* One place creates the objects of both types. */
static struct session *session_new(void (*init)(struct session *session))
{
    struct session *session = malloc(sizeof *session);

    CHECK(session);
    init(session);
    return session;
}

int main(void)
{
    struct kref *wrong = malloc(sizeof *wrong);
    char *type = strdup("temporary");

    CHECK(wrong && type);
    leaked[0] = session_new(session_ref_init);
    leaked[1] = session_new(connection_ref_init);
    leaked[2] = session_ref(session_new(connection_ref_init));
    leaked[3] = session_new(session_ref_init);
    session_unref(leaked[3]);
    kref_init_as(wrong, type); /* the reports copy the name */
    memset(type, 'x', strlen(type));
    free(type);
    session_unref(leaked[3]); /* HERE */
    return 0;
}
