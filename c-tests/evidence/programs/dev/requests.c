/*
 * A request goes through several hands: the reader gives it to the router, the router to a back
 * end, the back end to the writer. One reference moves all the way; the log and the retry list
 * have theirs.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { REQUESTS = 120, STAGE = 160, BACKENDS = 3 };

struct request {
    struct kref kref;
    int id, tries, status;
};

/* A stage owns a reference for each of its entries. */
struct stage {
    struct request *entries[STAGE];
    int first, last;
};

static struct stage routed, backends[BACKENDS], answered, retries;
static struct request *slow_log[REQUESTS];
static int slow, ok, failed;

static void request_release(struct kref *kref)
{
    free(kref_entry(kref, struct request, kref));
}

static void stage_add(struct stage *stage, struct request *request)
{
    stage->entries[stage->last++ % STAGE] = request;
}

static struct request *stage_take(struct stage *stage)
{
    return stage->first == stage->last ? NULL : stage->entries[stage->first++ % STAGE];
}

static void read_request(int id)
{
    struct request *request = malloc(sizeof *request);

    if (!request)
        abort();
    kref_init(&request->kref); /* get: pipeline */
    request->id = id;
    request->tries = 0;
    request->status = 0;
    if (id % 13 == 12) {
        kref_put(&request->kref, request_release); /* put: pipeline */
        failed++;
        return;
    }
    stage_add(&routed, request);
}

static void route(void)
{
    struct request *request;

    while ((request = stage_take(&routed)))
        stage_add(&backends[request->id % BACKENDS], request);
}

static void note_slow(struct request *request)
{
    kref_get(&request->kref); /* get: slow log */
    slow_log[slow++] = request;
}

static void retry_later(struct request *request)
{
    request->tries++;
    kref_get(&request->kref); /* get: retry */
    stage_add(&retries, request);
}

static void serve(struct stage *backend)
{
    struct request *request;

    while ((request = stage_take(backend))) {
        if (request->id % 5 == 3 && request->tries < 2) {
            retry_later(request);
            kref_put(&request->kref, request_release); /* put: pipeline */
            continue;
        }
        request->status = 200;
        if (request->id % 4 == 0)
            note_slow(request);
        stage_add(&answered, request);
    }
}

static void retry(void)
{
    struct request *request;
    int last = retries.last;

    while (retries.first < last && (request = stage_take(&retries))) {
        kref_get(&request->kref); /* get: pipeline */
        stage_add(&routed, request);
        kref_put(&request->kref, request_release); /* put: retry */
    }
}

static void write_answers(void)
{
    struct request *request;

    while ((request = stage_take(&answered))) {
        ok += request->status == 200;
        kref_put(&request->kref, request_release); /* put: pipeline */
    }
}

static void trim_log(int keep)
{
    int i, cut = slow > keep ? slow - keep : 0;

    for (i = 0; i < cut; i++)
        kref_put(&slow_log[i]->kref, request_release); /* put: slow log */
    for (i = 0; i < slow - cut; i++)
        slow_log[i] = slow_log[cut + i];
    slow -= cut;
}

int main(void)
{
    int id, i;

    for (id = 0; id < REQUESTS; id++) {
        read_request(id);
        if (id % 6 == 5) {
            retry();
            route();
            for (i = 0; i < BACKENDS; i++)
                serve(&backends[i]);
            write_answers();
            trim_log(10);
        }
    }
    for (id = 0; id < 4; id++) {
        retry();
        route();
        for (i = 0; i < BACKENDS; i++)
            serve(&backends[i]);
        write_answers();
    }
    trim_log(0);
    printf("%d answered, %d refused\n", ok, failed);
    return 0;
}
