/*
 * The two ends of a pair hold references on each other, so neither count reaches zero after both
 * owners have put theirs. Seen with parents and children, sockets and peers, listeners and sources.
 * Both references are taken at one line, one on each end.
 *
 * found by: leak
 */
#include "check.h"

struct end {
    char name[16];
    struct kref kref;
    struct end *peer;
};

static void end_release(struct kref *kref)
{
    struct end *end = kref_entry(kref, struct end, kref);

    if (end->peer)
        kref_put(&end->peer->kref, end_release);
    free(end);
}

static struct end *end_new(void)
{
    struct end *end = calloc(1, sizeof *end);

    CHECK(end);
    kref_init(&end->kref);
    return end;
}

static void link_to(struct end *from, struct end *to)
{
    kref_get(&to->kref); /* BLAME */
    from->peer = to;
}

int main(void)
{
    struct end *a = end_new();
    struct end *b = end_new();

    link_to(a, b);
    link_to(b, a);
#ifdef RIGHT
    b->peer = NULL;                  /* FIX */
    kref_put(&a->kref, end_release); /* FIX */
#endif
    kref_put(&a->kref, end_release);
    kref_put(&b->kref, end_release);
    return 0;
}
