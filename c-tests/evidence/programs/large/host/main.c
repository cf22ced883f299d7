/*
 * A host of plugins, with services, a message bus, settings and a schedule. Plugins come and go
 * while messages to them are on their way and others use their services.
 */
#include <stdio.h>

#include "plugins.h"

enum { TURNS = 240 };

static int heard, unloaded;

static void unload_named(const char *name)
{
    struct plugin *plugin = plugin_find(name);

    if (!plugin)
        return;
    heard += plugin->heard;
    plugin_unload(plugin);
    unloaded++;
    plugin_unref(plugin); /* put: found plugin */
}

static void announce(int topic, int number)
{
    struct value *value = value_new(number); /* get: announcement */

    publish(topic, value);
    if (number % 7 == 0)
        publish(topic + 1, value);
    value_unref(value); /* put: announcement */
}

static int last_number(int topic)
{
    struct message *message = bus_last(topic);
    int number;

    if (!message)
        return 0;
    number = message->value->number;
    message_unref(message); /* put: asked for */
    return number;
}

static void turn(int number)
{
    static const struct plugin_calls *const known[] = { &notes, &mirror, &notes, &counter };
    static const char *const names[] = { "counter", "notes", "mirror" };

    if (number % 6 == 0)
        plugin_load(known[number / 6 % 4]);
    if (number % 17 == 16)
        unload_named(names[number / 17 % 3]);
    if (number % 5 == 1)
        setting_set(number / 5, number);
    announce(number % TOPICS, number * 7 % 50);
    schedule_run();
    bus_run(3);
}

int main(void)
{
    long sum = 0;
    int i;

    for (i = 0; i < TURNS; i++) {
        turn(i);
        sum += last_number(i);
    }
    plugins_unload();
    bus_clear();
    settings_clear();
    while (schedule_run())
        ;
    printf("%d heard, %d unloaded, %d answers, %ld, %d left\n", heard, unloaded, answers, sum,
           plugins_alive);
    return 0;
}
