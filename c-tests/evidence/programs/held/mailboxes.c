/*
 * Topics and subscribers with mailboxes of a fixed size. One message is in the mailboxes of all
 * subscribers and in the topic's history; a full mailbox loses its oldest message.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { TOPICS = 4, SUBSCRIBERS = 9, BOX = 5, HISTORY = 3, MESSAGES = 80 };

struct message {
    struct kref kref;
    int topic, body;
};

struct mailbox {
    struct message *ring[BOX];
    unsigned in, out;
    int topics, lost, read;
};

struct topic {
    struct message *history[HISTORY];
    unsigned published;
};

static struct topic topics[TOPICS];
static struct mailbox boxes[SUBSCRIBERS];
static struct message *kept;

static void message_free(struct kref *kref)
{
    free(kref_entry(kref, struct message, kref));
}

static struct message *message_new(int topic, int body)
{
    struct message *message = malloc(sizeof *message);

    if (!message)
        abort();
    kref_init(&message->kref); /* get: publisher */
    message->topic = topic;
    message->body = body;
    return message;
}

static void message_put(struct message *message)
{
    kref_put(&message->kref, message_free);
}

static struct message *mailbox_take(struct mailbox *box)
{
    return box->in == box->out ? NULL : box->ring[box->out++ % BOX];
}

static void mailbox_add(struct mailbox *box, struct message *message)
{
    if (box->in - box->out == BOX) {
        struct message *oldest = mailbox_take(box);

        box->lost++;
        message_put(oldest); /* put: mailbox */
    }
    kref_get(&message->kref); /* get: mailbox */
    box->ring[box->in++ % BOX] = message;
}

static void topic_remember(struct topic *topic, struct message *message)
{
    struct message **place = &topic->history[topic->published++ % HISTORY];

    if (*place)
        message_put(*place); /* put: history */
    *place = message;
    kref_get(&message->kref); /* get: history */
}

static void publish(int number, int body)
{
    struct message *message = message_new(number, body);
    int i;

    topic_remember(&topics[number], message);
    for (i = 0; i < SUBSCRIBERS; i++)
        if (boxes[i].topics & 1 << number)
            mailbox_add(&boxes[i], message);
    message_put(message); /* put: publisher */
}

/* A newcomer gets what the topic remembers. */
static void subscribe(struct mailbox *box, int number)
{
    int i;

    if (box->topics & 1 << number)
        return;
    box->topics |= 1 << number;
    for (i = 0; i < HISTORY; i++)
        if (topics[number].history[i])
            mailbox_add(box, topics[number].history[i]);
}

static void bookmark(struct message *message)
{
    if (kept)
        message_put(kept); /* put: bookmark */
    kref_get(&message->kref); /* get: bookmark */
    kept = message;
}

static void read_mail(struct mailbox *box, int most)
{
    struct message *message;

    while (most-- > 0 && (message = mailbox_take(box))) {
        box->read++;
        if (message->body % 6 == 0)
            bookmark(message);
        message_put(message); /* put: mailbox */
    }
}

static void shut_down(void)
{
    int i, j;

    for (i = 0; i < SUBSCRIBERS; i++)
        read_mail(&boxes[i], BOX);
    for (i = 0; i < TOPICS; i++)
        for (j = 0; j < HISTORY; j++)
            if (topics[i].history[j])
                message_put(topics[i].history[j]); /* put: history */
    message_put(kept); /* put: bookmark */
}

int main(void)
{
    int i, lost = 0, read = 0;

    for (i = 0; i < MESSAGES; i++) {
        if (i % 5 == 0)
            subscribe(&boxes[i / 5 % SUBSCRIBERS], i / 3 % TOPICS);
        publish(i * 3 % TOPICS, i);
        read_mail(&boxes[i * 2 % SUBSCRIBERS], i % 4);
    }
    shut_down();
    for (i = 0; i < SUBSCRIBERS; i++) {
        lost += boxes[i].lost;
        read += boxes[i].read;
    }
    printf("%d read, %d lost\n", read, lost);
    return 0;
}
