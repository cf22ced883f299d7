#include <stdlib.h>
#include <string.h>

#include "host.h"

enum { MOST = 16 };

int plugins_alive;

static struct plugin *plugins[MOST];
static int next_number;

static void plugin_free(struct kref *kref)
{
    struct plugin *plugin = kref_entry(kref, struct plugin, kref);
    int i;

    for (i = 0; i < MOST_USED; i++)
        if (plugin->used[i])
            service_unref(plugin->used[i]); /* put: used service */
    if (plugin->kept)
        message_unref(plugin->kept); /* put: kept message */
    plugins_alive--;
    free(plugin);
}

struct plugin *plugin_ref(struct plugin *plugin)
{
    kref_get(&plugin->kref);
    return plugin;
}

void plugin_unref(struct plugin *plugin)
{
    kref_put(&plugin->kref, plugin_free);
}

static struct plugin **place_for(const struct plugin *plugin)
{
    int i;

    for (i = 0; i < MOST; i++)
        if (plugins[i] == plugin)
            return &plugins[i];
    return NULL;
}

/* The caller borrows what is returned; the host holds it until plugin_unload(). */
struct plugin *plugin_load(const struct plugin_calls *calls)
{
    struct plugin **place = place_for(NULL), *plugin = place ? calloc(1, sizeof *plugin) : NULL;

    if (!plugin)
        return NULL;
    kref_init(&plugin->kref); /* get: host */
    plugin->calls = calls;
    plugin->number = next_number++;
    plugins_alive++;
    *place = plugin;
    calls->start(plugin);
    return plugin;
}

/* Returns the plugin with a reference. */
struct plugin *plugin_find(const char *name)
{
    int i;

    for (i = 0; i < MOST; i++)
        if (plugins[i] && !strcmp(plugins[i]->calls->name, name))
            return plugin_ref(plugins[i]); /* get: found plugin */
    return NULL;
}

void plugin_unload(struct plugin *plugin)
{
    struct plugin **place = place_for(plugin);

    if (!place)
        return;
    *place = NULL;
    plugin->stopped = 1;
    plugin->calls->stop(plugin);
    unsubscribe(plugin);
    services_withdraw(plugin);
    plugin_unref(plugin); /* put: host */
}

void plugins_unload(void)
{
    int i;

    for (i = 0; i < MOST; i++)
        if (plugins[i])
            plugin_unload(plugins[i]);
}
