/*
 * A request that failed twice is dropped without a put. It still has a reference on its server, and the servers are
 * in a table. The creator's references on the servers are not given back either, but the lost requests are the leak
 * to report. Modelled on a proxy that tries the next server when one does not answer.
 *
 * found by: leak
 */
#include "check.h"

enum { SERVERS = 3, REQUESTS = 60 };

struct server {
    struct kref kref;
    int asked;
};

struct request {
    struct kref kref;
    struct server *server;
    int failures;
};

static struct server *servers[SERVERS];
static int next_server;

static void server_release(struct kref *kref)
{
    free(kref_entry(kref, struct server, kref));
}

static void request_release(struct kref *kref)
{
    struct request *request = kref_entry(kref, struct request, kref);

    kref_put(&request->server->kref, server_release);
    free(request);
}

static struct server *server_choose(void)
{
    struct server *server = servers[next_server++ % SERVERS];

    kref_get(&server->kref);
    server->asked++;
    return server;
}

static void request_send(struct request *request)
{
    struct server *before = request->server;

    request->server = server_choose();
    if (!before)
        return;
    request->failures++;
    kref_put(&before->kref, server_release);
}

static struct request *request_new(void)
{
    struct request *request = calloc(1, sizeof *request);

    CHECK(request);
    kref_init(&request->kref); /* BLAME */
    request_send(request);
    return request;
}

int main(void)
{
    for (int i = 0; i < SERVERS; i++) {
        servers[i] = calloc(1, sizeof *servers[i]);
        CHECK(servers[i]);
        kref_init(&servers[i]->kref);
    }
    for (int i = 0; i < REQUESTS; i++) {
        struct request *request = request_new();

        request_send(request);
        request_send(request);
#ifdef RIGHT
        kref_put(&request->kref, request_release); /* FIX */
#endif
    }
#ifdef RIGHT
    for (int i = 0; i < SERVERS; i++)
        kref_put(&servers[i]->kref, server_release);
#endif
    return 0;
}
