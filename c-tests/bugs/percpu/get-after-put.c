/*
 * A completion puts its request, whose release function gives back the reference on the ring, and
 * only then takes one on the ring, to count the event. The ring was killed meanwhile: the put was
 * its last one. Seen in asynchronous I/O.
 *
 * found by: get-after-release
 */
#include "check.h"

struct ring {
    long events;
    struct percpu_ref ref;
};

struct request {
    struct ring *ring;
    struct kref kref;
};

static void ring_release(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
    free((char *)ref - offsetof(struct ring, ref));
}

static void request_release(struct kref *kref)
{
    struct request *request = kref_entry(kref, struct request, kref);

    percpu_ref_put(&request->ring->ref);
    free(request);
}

static struct request *submit(struct ring *ring)
{
    struct request *request = calloc(1, sizeof *request);

    CHECK(request);
    kref_init(&request->kref);
    percpu_ref_get(&ring->ref);
    request->ring = ring;
    return request;
}

static void complete(struct request *request)
{
    struct ring *ring = request->ring;

#ifdef RIGHT
    percpu_ref_get(&ring->ref); /* FIX */
#endif
    kref_put(&request->kref, request_release);
#ifdef RIGHT
    ring->events++;
    percpu_ref_put(&ring->ref);
#else
    percpu_ref_get(&ring->ref); /* BLAME */
#endif
}

int main(void)
{
    struct ring *ring = calloc(1, sizeof *ring);
    struct request *request;

    CHECK(ring);
    CHECK(percpu_ref_init(&ring->ref, ring_release, 0) == 0);
    request = submit(ring);
    percpu_ref_kill(&ring->ref);
    complete(request);
    return 0;
}
