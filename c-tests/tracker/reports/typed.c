/*
 * Objects of two types that are leaked, one of them by a generic put: the reports have the names of
 * KREF_DEFINE, although no put of theirs has told a release function, and not two sections of one title. A stack
 * begins at the call of a function that KREF_DEFINE has made.
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

/* No macro has made this function. */
static struct kref *page_ref(struct kref *page)
{
    kref_get(page);
    return page;
}

static struct session *leaked[8];

/* One place creates the objects of both types. */
static struct session *session_new(void (*init)(struct session *session))
{
    struct session *session = malloc(sizeof *session);

    CHECK(session);
    init(session);
    return session;
}

static void page_release(struct kref *page)
{
    (void)page;
}

int main(void)
{
    static volatile int never;
    static struct kref page;
    struct kref *wrong = malloc(sizeof *wrong);
    char *type = strdup("temporary");

    CHECK(wrong && type);
    leaked[0] = session_new(session_ref_init);
    leaked[1] = session_new(connection_ref_init);
    leaked[2] = session_ref(session_new(connection_ref_init));
    if (never)
        connection_unref(leaked[2]);
    leaked[3] = session_new(session_ref_init);
    session_unref(leaked[3]);
    kref_init_as(wrong, type); /* the reports copy the name */
    memset(type, 'x', strlen(type));
    free(type);
    session_unref(leaked[3]); /* HERE */
    kref_init_as(&page, "page");
    kref_put(page_ref(page_ref(&page)), page_release);
    return 0;
}
