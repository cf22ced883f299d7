/*
 * A reader takes the current configuration from a slot, finds it disabled, and returns. Seen with every
 * kind of published pointer: a reader looks harmless.
 *
 * found by: leak
 */
#include "check.h"

struct config {
    int enabled;
    struct kref kref;
};

static struct kref_slot current;

static void config_release(struct kref *kref)
{
    free(kref_entry(kref, struct config, kref));
}

static void publish(int enabled)
{
    struct config *config = calloc(1, sizeof *config);
    struct kref *old;

    CHECK(config);
    kref_init(&config->kref);
    config->enabled = enabled;
    old = kref_slot_replace(&current, &config->kref);
    if (old)
        kref_put(old, config_release);
}

static int serve(void)
{
    struct kref *kref = kref_slot_get(&current); /* BLAME */

    if (!kref_entry(kref, struct config, kref)->enabled) {
#ifdef RIGHT
        kref_put(kref, config_release); /* FIX */
#endif
        return 0;
    }
    kref_put(kref, config_release);
    return 1;
}

int main(void)
{
    int served = 0;

    for (int i = 0; i < 10; i++) {
        publish(i != 4);
        served += serve();
    }
    CHECK(served == 9);
    kref_put(kref_slot_replace(&current, NULL), config_release);
    return 0;
}
