/*
 * The queue manager of a mail server. A message stays in the spool until each of its recipients
 * has it or has bounced. A recipient whose site is down is tried again later. A bounce is a
 * message, too, and quotes the message that was not delivered.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { SPOOL = 128, DOMAINS = 14, MAX_TRIES = 5, TICKS = 700 };

typedef struct message {
    struct kref links;
    struct message *quoted;
    unsigned id, sender, size;
    int unsettled;
} MESSAGE;

typedef struct site {
    struct kref links;
    unsigned limit;
    long down_until, last_used;
} SITE;

typedef struct recipient {
    struct kref links;
    struct recipient *next;
    MESSAGE *message;
    SITE *site;
    int tries;
    long when;
} RECIPIENT;

static MESSAGE *spool[SPOOL];
static SITE *sites[DOMAINS];
static RECIPIENT *queue; /* sorted by time */
static long now;
static unsigned last_id, delivered, bounced, rejected;

static unsigned chance(unsigned n)
{
    static unsigned seed = 19820801; /* RFC 821 */

    seed = seed * 1664525 + 1013904223;
    return (seed >> 12) % n;
}

static void message_destroy(struct kref *links)
{
    MESSAGE *message = kref_entry(links, MESSAGE, links);

    if (message->quoted)
        kref_put(&message->quoted->links, message_destroy); /* put: quoted */
    free(message);
}

static MESSAGE *message_link(MESSAGE *message)
{
    kref_get(&message->links);
    return message;
}

static void message_unlink(MESSAGE *message)
{
    kref_put(&message->links, message_destroy);
}

static MESSAGE *message_new(unsigned sender, unsigned size)
{
    MESSAGE *message = calloc(1, sizeof *message);

    kref_init(&message->links);
    message->id = ++last_id;
    message->sender = sender;
    message->size = size;
    return message;
}

static void site_destroy(struct kref *links)
{
    free(kref_entry(links, SITE, links));
}

/* The name server does not know the last domain. */
static SITE *site_resolve(unsigned domain)
{
    if (domain == DOMAINS - 1)
        return NULL;
    if (!sites[domain]) {
        sites[domain] = calloc(1, sizeof *sites[domain]);
        kref_init(&sites[domain]->links); /* get: site table */
        sites[domain]->limit = 2000 + 1000 * domain;
    }
    sites[domain]->last_used = now;
    kref_get(&sites[domain]->links);
    return sites[domain];
}

static void site_expire(long age)
{
    for (SITE **at = sites; at < sites + DOMAINS; at++)
        if (*at && now - (*at)->last_used >= age) {
            kref_put(&(*at)->links, site_destroy); /* put: site table */
            *at = NULL;
        }
}

static void queue_insert(RECIPIENT *recipient, long when)
{
    RECIPIENT **at = &queue;

    while (*at && (*at)->when <= when)
        at = &(*at)->next;
    recipient->when = when;
    recipient->next = *at;
    *at = recipient;
}

static void recipient_destroy(struct kref *links)
{
    RECIPIENT *recipient = kref_entry(links, RECIPIENT, links);

    message_unlink(recipient->message);              /* put: envelope */
    kref_put(&recipient->site->links, site_destroy); /* put: route */
    free(recipient);
}

static int recipient_add(MESSAGE *message, unsigned domain)
{
    SITE *site = site_resolve(domain); /* get: route */
    RECIPIENT *recipient;

    if (!site)
        return -1;
    if (message->size > 2 * site->limit) {
        kref_put(&site->links, site_destroy); /* put: route */
        return -1;
    }
    recipient = calloc(1, sizeof *recipient);
    kref_init(&recipient->links); /* get: queue */
    recipient->site = site;
    recipient->message = message_link(message); /* get: envelope */
    message->unsettled++;
    queue_insert(recipient, now);
    return 0;
}

static void bounce_send(MESSAGE *failed)
{
    MESSAGE *bounce, **place = &spool[(last_id + 1) % SPOOL];

    bounced++;
    if (failed->quoted || *place)
        return;
    bounce = message_new(0, 500);          /* get: spool */
    bounce->quoted = message_link(failed); /* get: quoted */
    if (recipient_add(bounce, failed->sender) == 0)
        *place = bounce;
    else
        message_unlink(bounce); /* put: spool */
}

static void recipient_settle(RECIPIENT *recipient)
{
    MESSAGE *message = recipient->message;

    if (--message->unsettled == 0) {
        spool[message->id % SPOOL] = NULL;
        message_unlink(message); /* put: spool */
    }
    kref_put(&recipient->links, recipient_destroy); /* put: queue */
}

/* An SMTP reply: 250 is done, 4xx is not now, 5xx is never. */
static int smtp_transfer(RECIPIENT *recipient)
{
    MESSAGE *body = message_link(recipient->message); /* get: transfer */
    SITE *site = recipient->site;
    int reply;

    if (now >= site->down_until && chance(6) == 0)
        site->down_until = now + 10 + chance(60);
    if (now < site->down_until) {
        message_unlink(body); /* put: transfer */
        return 421;
    }
    reply = body->size > site->limit || chance(20) == 0 ? 552 : 250;
    message_unlink(body); /* put: transfer */
    return reply;
}

static void queue_run(int most)
{
    RECIPIENT *recipient;

    while ((recipient = queue) && recipient->when <= now && most-- > 0) {
        int reply = smtp_transfer(recipient);

        queue = recipient->next;
        if (reply / 100 == 4 && ++recipient->tries < MAX_TRIES) {
            queue_insert(recipient, now + (4L << recipient->tries));
            continue;
        }
        if (reply == 250)
            delivered++;
        else
            bounce_send(recipient->message);
        recipient_settle(recipient);
    }
}

static void smtpd_session(void)
{
    MESSAGE *message = message_new(chance(DOMAINS), 100 + chance(12000)); /* get: session */
    unsigned count = 1 + chance(4);

    if (spool[message->id % SPOOL]) {
        rejected++;
        message_unlink(message); /* put: session */
        return;
    }
    while (count-- > 0)
        rejected += recipient_add(message, chance(DOMAINS)) < 0;
    if (message->unsettled)
        spool[message->id % SPOOL] = message_link(message); /* get: spool */
    message_unlink(message);                                /* put: session */
}

int main(void)
{
    for (now = 0; now < TICKS || queue; now++) {
        if (now < TICKS && chance(5) < 2)
            smtpd_session();
        queue_run(3);
        if (now % 50 == 49)
            site_expire(20);
    }
    site_expire(0);
    printf("%u delivered, %u bounced, %u rejected\n", delivered, bounced, rejected);
    return 0;
}
