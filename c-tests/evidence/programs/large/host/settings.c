#include <stdlib.h>

#include "host.h"

enum { SETTINGS = 8 };

/* Readers may be anywhere, so a setting is replaced and never changed. */
static struct kref_slot settings[SETTINGS];

static void value_free(struct kref *kref)
{
    free(kref_entry(kref, struct value, kref));
}

struct value *value_new(int number)
{
    struct value *value = malloc(sizeof *value);

    if (!value)
        abort();
    kref_init(&value->kref);
    value->number = number;
    return value;
}

void value_unref(struct value *value)
{
    kref_put(&value->kref, value_free);
}

static void replace(int name, struct value *value)
{
    struct kref *next = value ? &value->kref : NULL;
    struct kref *old = kref_slot_replace(&settings[name], next); /* get: setting */

    if (old)
        kref_put(old, value_free); /* put: setting */
}

void setting_set(int name, int number)
{
    struct value *value = value_new(number); /* get: setting */

    replace(name % SETTINGS, value);
}

/* Returns the value with a reference, or NULL. */
struct value *setting_get(int name)
{
    return kref_entry(kref_slot_get(&settings[name % SETTINGS]), struct value, kref);
}

void settings_clear(void)
{
    int i;

    for (i = 0; i < SETTINGS; i++)
        replace(i, NULL);
}
