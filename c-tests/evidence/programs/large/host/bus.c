#include <stdlib.h>

#include "host.h"

enum { SUBSCRIPTIONS = 64, QUEUE = 256 };

struct subscription {
    struct plugin *plugin;
    int topic;
};

static struct subscription subscriptions[SUBSCRIPTIONS];
static struct message *queue[QUEUE], *last[TOPICS];
static int count;
static unsigned in, out;

static void message_free(struct kref *kref)
{
    struct message *message = kref_entry(kref, struct message, kref);

    value_unref(message->value); /* put: message's value */
    free(message);
}

struct message *message_ref(struct message *message)
{
    kref_get(&message->kref);
    return message;
}

void message_unref(struct message *message)
{
    kref_put(&message->kref, message_free);
}

void subscribe(struct plugin *plugin, int topic)
{
    struct subscription *subscription;

    if (count == SUBSCRIPTIONS)
        return;
    subscription = &subscriptions[count++];
    subscription->topic = topic;
    subscription->plugin = plugin_ref(plugin); /* get: subscription */
}

void unsubscribe(struct plugin *plugin)
{
    int i, kept = 0;

    for (i = 0; i < count; i++)
        if (subscriptions[i].plugin == plugin)
            plugin_unref(plugin); /* put: subscription */
        else
            subscriptions[kept++] = subscriptions[i];
    count = kept;
}

static void remember(struct message *message)
{
    struct message *before = last[message->topic];

    last[message->topic] = message_ref(message); /* get: last of topic */
    if (before)
        message_unref(before); /* put: last of topic */
}

/* The message shares the value with the caller. */
void publish(int topic, struct value *value)
{
    struct message *message = calloc(1, sizeof *message);

    if (!message)
        abort();
    kref_init(&message->kref); /* get: bus */
    message->topic = topic % TOPICS;
    kref_get(&value->kref); /* get: message's value */
    message->value = value;
    if (in - out == QUEUE) {
        message_unref(message); /* put: bus */
        return;
    }
    remember(message);
    queue[in++ % QUEUE] = message;
}

static void deliver(struct message *message)
{
    struct plugin *readers[SUBSCRIPTIONS];
    int i, n = 0;

    /* A reader may unload any plugin. */
    for (i = 0; i < count; i++)
        if (subscriptions[i].topic == message->topic)
            readers[n++] = plugin_ref(subscriptions[i].plugin); /* get: reader */
    for (i = 0; i < n; i++) {
        if (!readers[i]->stopped) {
            readers[i]->heard++;
            readers[i]->calls->on_message(readers[i], message);
        }
        plugin_unref(readers[i]); /* put: reader */
    }
}

int bus_run(int most)
{
    int n;

    for (n = 0; n < most && in != out; n++) {
        struct message *message = queue[out++ % QUEUE];

        deliver(message);
        message_unref(message); /* put: bus */
    }
    return n;
}

/* Returns the last message of the topic, with a reference, or NULL. */
struct message *bus_last(int topic)
{
    struct message *message = last[topic % TOPICS];

    if (message)
        message_ref(message); /* get: asked for */
    return message;
}

void bus_clear(void)
{
    int i;

    while (bus_run(QUEUE))
        ;
    for (i = 0; i < TOPICS; i++)
        if (last[i])
            message_unref(last[i]); /* put: last of topic */
}
