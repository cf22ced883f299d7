/*
 * A new configuration is published, and the result of the replace is ignored: the old configuration
 * and its reference. Seen at reloads: each one leaks a configuration.
 * The slot held the reference until the replace, which gave it to the caller.
 *
 * found by: leak
 */
#include "check.h"

struct config {
    char file[16];
    struct kref kref;
    int generation;
};

static struct kref_slot current = KREF_SLOT_INIT;

static void config_release(struct kref *kref)
{
    free(kref_entry(kref, struct config, kref));
}

static void load(int generation)
{
    struct config *config = calloc(1, sizeof *config);
    struct kref *old;

    CHECK(config);
    kref_init(&config->kref);
    config->generation = generation;
    old = kref_slot_replace(&current, &config->kref); /* BLAME */
    CHECK(!old == (generation == 1));
#ifdef RIGHT
    if (old)                           /* FIX */
        kref_put(old, config_release); /* FIX */
#endif
}

static int generation(void)
{
    struct config *config = kref_entry(kref_slot_get(&current), struct config, kref);
    int number = config->generation;

    kref_put(&config->kref, config_release);
    return number;
}

int main(void)
{
    struct kref *last;

    load(1);
    CHECK(generation() == 1);
    load(2);
    CHECK(generation() == 2);
    last = kref_slot_replace(&current, NULL);
    kref_put(last, config_release);
    return 0;
}
