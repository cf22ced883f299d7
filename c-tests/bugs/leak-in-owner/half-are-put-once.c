/*
 * A list gives back the lookup's reference and forgets the creator's. Only half of its objects were ever looked up:
 * the others were never put, so their release function was never seen. They are of one type all the same. Seen when a
 * container is freed without its elements.
 *
 * found by: leak
 */
#include "check.h"

#define OBJECTS 6

struct node {
    int number;
    struct kref kref;
};

static struct node *list[OBJECTS];

static void node_release(struct kref *kref)
{
    free(kref_entry(kref, struct node, kref));
}

int main(void)
{
    for (int i = 0; i < OBJECTS; i++) {
        list[i] = calloc(1, sizeof *list[i]);
        CHECK(list[i]);
        kref_init(&list[i]->kref); /* BLAME */
    }
    for (int i = 0; i < OBJECTS; i += 2) {
        struct node *found = list[i];

        kref_get(&found->kref);
        found->number++;
        kref_put(&found->kref, node_release);
    }
    for (int i = 0; i < OBJECTS; i++) {
#ifdef RIGHT
        kref_put(&list[i]->kref, node_release); /* FIX */
#endif
        list[i] = NULL;
    }
    return 0;
}
