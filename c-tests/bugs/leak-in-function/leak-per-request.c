/*
 * A server's handler returns early for requests without a body, and keeps its reference on the
 * session. In a test that is a small leak; after a month the counts are in the millions. Seen in
 * request loops.
 *
 * found by: leak
 */
#include "check.h"

#define REQUESTS 300

struct session {
    char user[16];
    struct kref kref;
    int bytes;
};

static struct session *sessions[3];

static void session_release(struct kref *kref)
{
    free(kref_entry(kref, struct session, kref));
}

static struct session *session_of(int request)
{
    struct session *session = sessions[request % 3];

    kref_get(&session->kref); /* BLAME */
    return session;
}

static int handle(int request)
{
    struct session *session = session_of(request);

    if (request % 5 == 0) {
#ifdef RIGHT
        kref_put(&session->kref, session_release); /* FIX */
#endif
        return 304;
    }
    session->bytes += 100;
    kref_put(&session->kref, session_release);
    return 200;
}

int main(void)
{
    int i, unchanged = 0;

    for (i = 0; i < 3; i++) {
        sessions[i] = calloc(1, sizeof *sessions[i]);
        CHECK(sessions[i]);
        kref_init(&sessions[i]->kref);
    }
    for (i = 0; i < REQUESTS; i++)
        unchanged += handle(i) == 304;
    CHECK(unchanged == REQUESTS / 5);
    for (i = 0; i < 3; i++) {
        kref_put(&sessions[i]->kref, session_release);
        sessions[i] = NULL;
    }
    return 0;
}
