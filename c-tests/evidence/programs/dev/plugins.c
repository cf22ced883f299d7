/*
 * A host of plugins. A plugin registers commands and hooks, each of which keeps the plugin
 * loaded. A running command keeps it loaded, too, even if it is unloaded meanwhile.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMANDS = 64, HOOKS = 64 };

struct plugin {
    struct kref kref;
    char name[16];
    int calls, unloaded;
};

struct command {
    char name[32];
    struct plugin *owner;
    int (*run)(struct plugin *plugin, int argument);
};

struct hook {
    struct plugin *owner;
    int event;
};

static struct command commands[COMMANDS];
static struct hook hooks[HOOKS];
static int ncommands, nhooks, loaded, total;

static void plugin_destroy(struct kref *kref)
{
    struct plugin *plugin = kref_entry(kref, struct plugin, kref);

    loaded--;
    total += plugin->calls;
    free(plugin);
}

static struct plugin *plugin_hold(struct plugin *plugin)
{
    kref_get(&plugin->kref);
    return plugin;
}

static void plugin_drop(struct plugin *plugin)
{
    kref_put(&plugin->kref, plugin_destroy);
}

static void register_command(struct plugin *plugin, const char *verb,
                             int (*run)(struct plugin *, int))
{
    struct command *command = &commands[ncommands++];

    snprintf(command->name, sizeof command->name, "%s-%s", verb, plugin->name);
    command->run = run;
    command->owner = plugin_hold(plugin); /* get: command */
}

static void register_hook(struct plugin *plugin, int event)
{
    hooks[nhooks].event = event;
    hooks[nhooks++].owner = plugin_hold(plugin); /* get: hook */
}

static void unregister_commands(struct plugin *plugin)
{
    int i = 0;

    while (i < ncommands)
        if (commands[i].owner == plugin) {
            commands[i] = commands[--ncommands];
            plugin_drop(plugin); /* put: command */
        } else {
            i++;
        }
}

static void unregister_hooks(struct plugin *plugin)
{
    int i, kept = 0;

    for (i = 0; i < nhooks; i++)
        if (hooks[i].owner == plugin)
            plugin_drop(plugin); /* put: hook */
        else
            hooks[kept++] = hooks[i];
    nhooks = kept;
}

static void plugin_unload(struct plugin *plugin)
{
    plugin->unloaded = 1;
    unregister_hooks(plugin);
    unregister_commands(plugin);
    plugin_drop(plugin); /* put: loader */
}

static int greet(struct plugin *plugin, int argument)
{
    plugin->calls += argument;
    return plugin->calls;
}

/* The plugin unloads itself. */
static int quit(struct plugin *plugin, int argument)
{
    plugin_unload(plugin);
    return plugin->calls + argument;
}

static struct plugin *plugin_load(const char *name)
{
    struct plugin *plugin = calloc(1, sizeof *plugin);

    if (!plugin)
        abort();
    kref_init(&plugin->kref); /* get: loader */
    snprintf(plugin->name, sizeof plugin->name, "%s", name);
    register_command(plugin, "greet", greet);
    register_command(plugin, "quit", quit);
    register_hook(plugin, name[0] % 3);
    if (name[1] == 'a')
        register_hook(plugin, 1);
    loaded++;
    return plugin;
}

static void execute(const char *name, int argument)
{
    int i;

    for (i = 0; i < ncommands; i++)
        if (!strcmp(commands[i].name, name)) {
            struct plugin *plugin = commands[i].owner;

            plugin_hold(plugin); /* get: running */
            commands[i].run(plugin, argument);
            plugin_drop(plugin); /* put: running */
            return;
        }
}

static void fire(int event)
{
    int i;

    for (i = 0; i < nhooks; i++)
        if (hooks[i].event == event)
            hooks[i].owner->calls++;
}

int main(void)
{
    static const char *const names[] = { "mail", "spell", "vault", "latex",
                                         "git",  "fm",    "rss",   "tags" };
    char name[32];
    int turn, i;

    for (turn = 0; turn < 5; turn++) {
        struct plugin *last = NULL;

        for (i = 0; i < 8; i++)
            last = plugin_load(names[i]);
        for (i = 0; i < 24; i++) {
            snprintf(name, sizeof name, "greet-%s", names[i * 5 % 8]);
            execute(name, i);
            fire(i % 3);
        }
        plugin_unload(last);
        for (i = 0; i < 7; i++) {
            snprintf(name, sizeof name, "quit-%s", names[i]);
            execute(name, i);
        }
    }
    printf("%d loaded, %d calls\n", loaded, total);
    return 0;
}
