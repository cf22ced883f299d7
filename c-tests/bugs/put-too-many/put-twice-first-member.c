/*
 * One reference is put twice, and the count is the object's first member. free() writes into the
 * first bytes of the memory, so the second put may see a count that looks alive. Seen in most code,
 * since the count often comes first.
 * Without tracking only valgrind and AddressSanitizer show this bug.
 *
 * found by: put-after-release
 */
#include "check.h"

struct ticket {
    struct kref kref;
    int number;
};

static void ticket_release(struct kref *kref)
{
    free(kref_entry(kref, struct ticket, kref));
}

static int redeem(struct ticket *ticket)
{
    int number = ticket->number;

    kref_put(&ticket->kref, ticket_release);
    return number;
}

int main(void)
{
    struct ticket *ticket = malloc(sizeof *ticket);

    CHECK(ticket);
    kref_init(&ticket->kref);
    ticket->number = 7;
#ifdef RIGHT
    kref_get(&ticket->kref); /* FIX */
#endif
    CHECK(redeem(ticket) == 7); /* takes over our reference */
    kref_put(&ticket->kref, ticket_release); /* BLAME */
    return 0;
}
