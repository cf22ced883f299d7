/*
 * A chat server with presence, in one event loop. A line that is said in a channel is one buffer,
 * which the send queues of all members and the history of the channel share. A user may come
 * back on a new connection while the old one still lingers.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES 16
#define TOPICS 5
#define CONNS 20
#define SENDQ 24
#define BACKLOG 6
#define EVENTS 3000

struct user {
    struct kref kref;
    int name, away, watched;
    struct user *buddy;
};

struct line {
    struct kref kref;
    struct user *from;
    char text[48];
};

struct channel {
    struct kref kref;
    int topic, said;
    struct line *history[BACKLOG];
};

struct conn {
    int open;
    struct user *user;
    struct channel *joined[TOPICS];
    struct line *sendq[SENDQ];
    int head, count;
};

static struct user *users[NAMES];        /* those that are known, without references */
static struct channel *channels[TOPICS]; /* those with members, without references */
static struct conn conns[CONNS];
static int sent, closed;

static void user_free(struct user *user)
{
    users[user->name] = NULL;
    free(user);
}

KREF_DEFINE(user, struct user, kref, user_free);

static void line_free(struct line *line)
{
    user_unref(line->from); /* put: author */
    free(line);
}

KREF_DEFINE(line, struct line, kref, line_free);

static void channel_free(struct channel *channel)
{
    int i;

    for (i = 0; i < BACKLOG; i++)
        if (channel->history[i])
            line_unref(channel->history[i]); /* put: history */
    channels[channel->topic] = NULL;
    free(channel);
}

KREF_DEFINE(channel, struct channel, kref, channel_free);

static int rnd(int n)
{
    static unsigned long long pcg = 0x853c49e6748fea9bULL;

    pcg = pcg * 6364136223846793005ULL + 1442695040888963407ULL;
    return (int)((pcg >> 40) % (unsigned)n);
}

static struct user *user_find(int name)
{
    if (users[name])
        return user_ref(users[name]);
    users[name] = calloc(1, sizeof *users[name]);
    users[name]->name = name;
    user_ref_init(users[name]);
    return users[name];
}

static struct channel *channel_find(int topic)
{
    if (channels[topic])
        return channel_ref(channels[topic]);
    channels[topic] = calloc(1, sizeof *channels[topic]);
    channels[topic]->topic = topic;
    channel_ref_init(channels[topic]);
    return channels[topic];
}

static struct line *line_new(struct user *from, const char *what, int number)
{
    struct line *line = calloc(1, sizeof *line);

    line_ref_init(line);
    line->from = user_ref(from); /* get: author */
    snprintf(line->text, sizeof line->text, "%d %s %d\n", from->name, what, number);
    return line;
}

static int enqueue(struct conn *conn, struct line *line)
{
    if (conn->count == SENDQ)
        return -1;
    conn->sendq[(conn->head + conn->count++) % SENDQ] = line_ref(line); /* get: sendq */
    return 0;
}

static void on_writable(struct conn *conn, int room)
{
    struct line *line;

    for (; conn->count > 0 && room > 0; conn->count--) {
        line = conn->sendq[conn->head];
        conn->head = (conn->head + 1) % SENDQ;
        room -= strlen(line->text);
        sent++;
        line_unref(line); /* put: sendq */
    }
}

static void broadcast(struct channel *channel, struct line *line)
{
    struct line **oldest = &channel->history[channel->said++ % BACKLOG];
    int i;

    if (*oldest)
        line_unref(*oldest); /* put: history */
    *oldest = line_ref(line); /* get: history */
    for (i = 0; i < CONNS; i++)
        if (conns[i].joined[channel->topic] && enqueue(&conns[i], line) < 0)
            conns[i].open = 0;
}

static void say(struct conn *conn, int topic, int number)
{
    struct line *line = line_new(conn->user, "says", number); /* get: speech */

    broadcast(conn->joined[topic], line);
    line_unref(line); /* put: speech */
}

static void join(struct conn *conn, int topic)
{
    struct channel *channel = channel_find(topic); /* get: member */
    int i;

    if (conn->joined[topic]) {
        channel_unref(channel); /* put: member */
        return;
    }
    conn->joined[topic] = channel;
    for (i = 0; i < BACKLOG; i++)
        if (channel->history[i])
            enqueue(conn, channel->history[i]);
}

static void part(struct conn *conn, int topic)
{
    struct channel *channel = conn->joined[topic];

    conn->joined[topic] = NULL;
    channel_unref(channel); /* put: member */
}

/* Everybody whose buddy this is hears of it. */
static void presence(struct user *user, const char *what)
{
    struct line *notice = NULL;
    int i;

    for (i = 0; i < CONNS && user->watched > 0; i++) {
        if (!conns[i].user || conns[i].user->buddy != user)
            continue;
        if (!notice)
            notice = line_new(user, what, i); /* get: notice */
        enqueue(&conns[i], notice);
    }
    if (notice)
        line_unref(notice); /* put: notice */
}

static void set_buddy(struct user *user, struct user *buddy)
{
    struct user *old = user->buddy;

    if (buddy == user)
        return;
    user->buddy = NULL;
    if (buddy) {
        buddy->watched++;
        user->buddy = user_ref(buddy); /* get: buddy */
    }
    if (old) {
        old->watched--;
        user_unref(old); /* put: buddy */
    }
}

static void login(struct conn *conn, int name)
{
    struct user *user = user_find(name); /* get: session */

    if (user->away && rnd(2)) {
        user_unref(user); /* put: session */
        return;
    }
    conn->user = user;
    conn->open = 1;
    presence(user, "is here");
}

static void hang_up(struct conn *conn)
{
    struct user *user = conn->user;
    int topic;

    for (topic = 0; topic < TOPICS; topic++)
        if (conn->joined[topic])
            part(conn, topic);
    while (conn->count > 0)
        on_writable(conn, 1);
    conn->user = NULL;
    conn->open = 0;
    presence(user, "has gone");
    set_buddy(user, NULL);
    user_unref(user); /* put: session */
}

static void on_readable(struct conn *conn, int number)
{
    int topic = rnd(TOPICS), kind = rnd(20);

    if (kind == 0)
        hang_up(conn);
    else if (kind == 1)
        set_buddy(conn->user, users[rnd(NAMES)]);
    else if (kind == 2)
        conn->user->away = !conn->user->away;
    else if (!conn->joined[topic])
        join(conn, topic);
    else if (kind == 3)
        part(conn, topic);
    else if (kind < 10)
        say(conn, topic, number);
}

int main(void)
{
    int i;

    for (i = 0; i < EVENTS; i++) {
        struct conn *conn = &conns[rnd(CONNS)];

        if (!conn->user)
            login(conn, rnd(NAMES));
        else if (!conn->open)
            closed++, hang_up(conn);
        else if (rnd(5) < 2)
            on_readable(conn, i);
        else
            on_writable(conn, 40);
    }
    for (i = 0; i < CONNS; i++)
        if (conns[i].user)
            hang_up(&conns[i]);
    printf("%d sent, %d slow connections closed\n", sent, closed);
    return 0;
}
