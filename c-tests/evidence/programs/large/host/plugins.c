/* The plugins: one keeps notes, one mirrors messages, one counts and asks the others. */
#include "plugins.h"

int answers;

static int answer_note(struct plugin *plugin, int question)
{
    return plugin->kept ? plugin->kept->value->number + question : question;
}

static void notes_start(struct plugin *plugin)
{
    subscribe(plugin, plugin->number % TOPICS);
    subscribe(plugin, (plugin->number + 1) % TOPICS);
    service_offer(plugin, plugin->number % MOST_SERVICES, answer_note);
}

static void notes_hear(struct plugin *plugin, struct message *message)
{
    if (plugin->kept && plugin->kept->value->number > message->value->number)
        return;
    if (plugin->kept)
        message_unref(plugin->kept); /* put: kept message */
    plugin->kept = message_ref(message); /* get: kept message */
}

static void nothing(struct plugin *plugin)
{
    (void)plugin;
}

static void mirror_later(struct plugin *plugin, int topic)
{
    struct value *value = setting_get(topic); /* get: read setting */

    plugin->asked++;
    if (!value)
        return;
    if (value->number % 3)
        publish(topic + 1, value);
    value_unref(value); /* put: read setting */
}

static void mirror_start(struct plugin *plugin)
{
    subscribe(plugin, 2);
    subscribe(plugin, 4);
}

static void mirror_hear(struct plugin *plugin, struct message *message)
{
    if (message->value->number % 2)
        schedule_detached(plugin, 1 + message->topic, mirror_later, message->value->number % 5);
}

static void count_chore(struct plugin *plugin, int round)
{
    struct task *before = plugin->chore;
    int i;

    for (i = 0; i < MOST_USED; i++)
        if (plugin->used[i])
            answers += service_ask(plugin->used[i], round) > round;
    plugin->chore = schedule(plugin, 4, count_chore, round + 1);
    task_unref(before); /* put: task's owner */
}

static void use(struct plugin *plugin, int i, int name)
{
    struct service *service = service_find(name); /* get: used service */

    if (plugin->used[i])
        service_unref(plugin->used[i]); /* put: used service */
    plugin->used[i] = service;
}

static void counter_start(struct plugin *plugin)
{
    int i;

    subscribe(plugin, 1);
    for (i = 0; i < MOST_USED; i++)
        use(plugin, i, plugin->number + 1 + i * 2);
    plugin->chore = schedule(plugin, 2, count_chore, 0);
}

static void counter_hear(struct plugin *plugin, struct message *message)
{
    struct value *value = message->value;

    if (plugin->heard % 4 == 0)
        use(plugin, value->number % MOST_USED, value->number % MOST_SERVICES);
    if (plugin->heard == 25)
        plugin_unload(plugin);
}

static void counter_stop(struct plugin *plugin)
{
    struct task *chore = plugin->chore;

    plugin->chore = NULL;
    task_cancel(chore);
    task_unref(chore); /* put: task's owner */
}

const struct plugin_calls notes = { "notes", notes_start, notes_hear, nothing };
const struct plugin_calls mirror = { "mirror", mirror_start, mirror_hear, nothing };
const struct plugin_calls counter = { "counter", counter_start, counter_hear, counter_stop };
