/*
 * A message bus: topics, clients with inboxes, retained messages. A message with an odd number
 * stays with the client until the client acknowledges it.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

#define CLIENTS 8
#define TOPICS 12
#define INBOX 6
#define TURNS 900

typedef struct message {
    struct kref kref;
    int number;
} message;

typedef struct topic {
    struct kref kref;
    int name;
    message *retained;
    struct client *subscribers[CLIENTS];
} topic;

typedef struct client {
    struct kref kref;
    int id, online;
    topic *topics[TOPICS];
    message *inbox[INBOX], *unacked;
    void (*on_message)(struct client *self, message *m);
} client;

static topic *names[TOPICS]; /* without references: topic_free() takes the name away */
static client *online[CLIENTS];
static int live_messages, overflows, heard;

static void message_free(message *m)
{
    live_messages--;
    free(m);
}

KREF_DEFINE(message, message, kref, message_free);

static void topic_free(topic *t)
{
    names[t->name] = NULL;
    if (t->retained)
        message_unref(t->retained); /* put: retained */
    free(t);
}

KREF_DEFINE(topic, topic, kref, topic_free);

KREF_DEFINE(client, client, kref, free);

static int random_below(int n)
{
    static unsigned x = 77;

    x = x * 1664525u + 1013904223u;
    return (int)((x >> 12) % (unsigned)n);
}

static topic *topic_open(int name)
{
    topic *t = names[name];

    if (t)
        return topic_ref(t); /* get: opened */
    t = calloc(1, sizeof *t);
    if (!t)
        abort();
    topic_ref_init(t); /* get: opened */
    t->name = name;
    names[name] = t;
    return t;
}

static message *message_new(int number)
{
    message *m = malloc(sizeof *m);

    if (!m)
        abort();
    message_ref_init(m); /* get: publisher */
    m->number = number;
    live_messages++;
    return m;
}

static void deliver(client *c, message *m)
{
    int i;

    message_ref(m); /* get: delivery */
    for (i = 0; i < INBOX; i++)
        if (!c->inbox[i]) {
            c->inbox[i] = m;
            return;
        }
    overflows++;
    message_unref(m); /* put: delivery */
}

static void subscribe(client *c, int name)
{
    topic *t = topic_open(name);

    if (!c->topics[name]) {
        c->topics[name] = topic_ref(t); /* get: subscription */
        t->subscribers[c->id] = client_ref(c); /* get: subscriber */
        if (t->retained)
            deliver(c, t->retained);
    }
    topic_unref(t); /* put: opened */
}

static void unsubscribe(client *c, int name)
{
    topic *t = c->topics[name];

    if (!t)
        return;
    t->subscribers[c->id] = NULL;
    c->topics[name] = NULL;
    client_unref(c); /* put: subscriber */
    topic_unref(t); /* put: subscription */
}

static void acknowledge(client *c)
{
    if (c->unacked)
        message_unref(c->unacked); /* put: delivery */
    c->unacked = NULL;
}

static void disconnect(client *c)
{
    int i;

    online[c->id] = NULL;
    c->online = 0;
    for (i = 0; i < TOPICS; i++)
        unsubscribe(c, i);
    for (i = 0; i < INBOX; i++) {
        if (c->inbox[i])
            message_unref(c->inbox[i]); /* put: delivery */
        c->inbox[i] = NULL;
    }
    acknowledge(c);
    client_unref(c); /* put: connection */
}

static void show(client *self, message *m)
{
    heard++;
    if (m->number % 31 == self->id)
        disconnect(self);
}

static void connect_client(int id)
{
    client *c = calloc(1, sizeof *c);

    if (!c)
        abort();
    client_ref_init(c); /* get: connection */
    c->id = id;
    c->online = 1;
    c->on_message = show;
    online[id] = c;
}

static void publish(int name, message *m, int retain)
{
    topic *t = topic_open(name);
    int i;

    for (i = 0; i < CLIENTS; i++)
        if (t->subscribers[i])
            deliver(t->subscribers[i], m);
    if (retain) {
        message *old = t->retained;

        t->retained = message_ref(m); /* get: retained */
        if (old)
            message_unref(old); /* put: retained */
    }
    topic_unref(t); /* put: opened */
}

/* A callback may disconnect its own client. */
static void dispatch(client *c)
{
    int i;

    client_ref(c); /* get: dispatch */
    for (i = 0; i < INBOX && c->online; i++) {
        message *m = c->inbox[i];

        if (!m)
            continue;
        c->inbox[i] = NULL;
        c->on_message(c, m);
        if (m->number % 2 && c->online) {
            acknowledge(c);
            c->unacked = m;
        } else {
            message_unref(m); /* put: delivery */
        }
    }
    client_unref(c); /* put: dispatch */
}

int main(void)
{
    int turn, id;

    for (turn = 0; turn < TURNS; turn++) {
        message *m = message_new(turn);

        id = random_below(CLIENTS);
        if (!online[id])
            connect_client(id);
        if (random_below(3) == 0)
            subscribe(online[id], random_below(TOPICS));
        else if (random_below(3) == 0)
            unsubscribe(online[id], random_below(TOPICS));
        else
            dispatch(online[id]);
        publish(random_below(TOPICS), m, random_below(4) == 0);
        message_unref(m); /* put: publisher */
        if (turn % 70 == 69 && online[id])
            disconnect(online[id]);
    }
    for (id = 0; id < CLIENTS; id++)
        if (online[id])
            disconnect(online[id]);
    printf("%d heard, %d overflows, %d messages left\n", heard, overflows, live_messages);
    return 0;
}
