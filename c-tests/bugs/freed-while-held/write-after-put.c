/*
 * A statistics function puts the connection, and then notes in it when that was. The put may have
 * been the last one. Seen where a log line was added behind a put.
 *
 * found by: write-after-release
 */
#include "check.h"

struct connection {
    struct kref kref;
    long bytes;
    long closed_at;
};

static void connection_release(struct kref *kref)
{
    free(kref_entry(kref, struct connection, kref)); /* the memory is kept from here on */
}

static void finish(struct connection *connection, long now)
{
#ifdef RIGHT
    connection->closed_at = now; /* FIX */
#endif
    kref_put(&connection->kref, connection_release); /* BLAME */
#ifndef RIGHT
    *(volatile long *)&connection->closed_at = now;
#endif
}

int main(void)
{
    for (int i = 0; i < 3; i++) {
        struct connection *connection = calloc(1, sizeof *connection);

        CHECK(connection);
        kref_init(&connection->kref);
        finish(connection, 1000 + i);
    }
    return 0;
}
