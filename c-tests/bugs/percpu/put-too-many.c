/*
 * The error path of a request gives the request's reference on the queue back, and its caller does
 * so as well. Without kref-track only percpu_ref_kill() notices that, and cannot say where.
 *
 * found by: put-of-initial
 */
#include "check.h"

static struct percpu_ref queue;

static void queue_release(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
}

static int transmit(int length)
{
    if (length < 1000)
        return 0;
#ifndef RIGHT
    percpu_ref_put(&queue);
#endif
    return -1;
}

static void send_out(int length)
{
    percpu_ref_get(&queue);
    if (transmit(length) < 0)
        length = 0;
    percpu_ref_put(&queue); /* BLAME */
}

int main(void)
{
    CHECK(percpu_ref_init(&queue, queue_release, PERCPU_REF_ALLOW_REINIT) == 0);
    send_out(10);
    send_out(2000);
#ifdef RIGHT
    percpu_ref_kill(&queue);
#endif
    return 0;
}
