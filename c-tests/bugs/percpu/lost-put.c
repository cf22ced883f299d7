/*
 * A request takes a reference on the service while it is served, and a request that is malformed
 * returns without a put. Seen in block and network layers. The service is killed at the end, and
 * its release function never runs: nothing else tells of the mistake.
 *
 * found by: leak
 */
#include "check.h"

struct service {
    struct percpu_ref ref;
    long served;
};

static void service_release(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
    free(ref);
}

static void serve(struct service *service, int length)
{
    if (!percpu_ref_tryget_live(&service->ref)) /* BLAME */
        return;
#ifdef RIGHT
    if (length >= 0)       /* FIX */
        service->served++; /* FIX */
#else
    if (length < 0)
        return;
    service->served++;
#endif
    percpu_ref_put(&service->ref);
}

int main(void)
{
    struct service *service = calloc(1, sizeof *service);

    CHECK(service);
    CHECK(percpu_ref_init(&service->ref, service_release, 0) == 0);
    for (int i = 0; i < 50; i++)
        serve(service, i % 10 ? i : -1);
    percpu_ref_kill(&service->ref);
    return 0;
}
