/*
 * A host keeps a reference on the plugin's data for each callback. A plugin that is unloaded takes its
 * callbacks back, and the host forgets their references. Seen in plugin hosts, and wherever "user data" is counted.
 *
 * found by: leak
 */
#include "check.h"

#define CALLBACKS 4

struct data {
    int calls;
    struct kref kref;
};

struct callback {
    void (*function)(struct data *);
    struct data *data;
};

static struct callback callbacks[CALLBACKS];

static void data_release(struct kref *kref)
{
    free(kref_entry(kref, struct data, kref));
}

static void host_register(int event, void (*function)(struct data *), struct data *data)
{
    kref_get(&data->kref); /* BLAME */
    callbacks[event] = (struct callback){ function, data };
}

static void host_unregister(int event)
{
#ifdef RIGHT
    kref_put(&callbacks[event].data->kref, data_release); /* FIX */
#endif
    callbacks[event] = (struct callback){ NULL, NULL };
}

static void plugin_event(struct data *data)
{
    data->calls++;
}

int main(void)
{
    for (int plugin = 0; plugin < 3; plugin++) {
        struct data *data = calloc(1, sizeof *data);

        CHECK(data);
        kref_init(&data->kref);
        for (int event = 0; event < CALLBACKS; event++)
            host_register(event, plugin_event, data);
        kref_put(&data->kref, data_release);
        for (int event = 0; event < CALLBACKS; event++)
            callbacks[event].function(callbacks[event].data);
        for (int event = 0; event < CALLBACKS; event++)
            host_unregister(event);
    }
    return 0;
}
