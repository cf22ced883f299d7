/*
 * A game server. Players sit in rooms, invite each other, or wait for the thread that finds them an opponent. An
 * invitation lies in the guest's inbox until it is answered or expires.
 */
#include <kref.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { PLAYERS = 16, SEATS = 4, ROOMS = PLAYERS + 1, INBOX = 4, EXPIRIES = 128, TURNS = 1000 };

struct room {
    struct kref kref;
    struct player *seats[SEATS];
    int taken, open;
};

struct player {
    struct kref kref;
    struct room *room;
    struct invitation *inbox[INBOX];
    struct player *next_waiting;
    int mails, waiting, online;
};

struct invitation {
    struct kref kref;
    struct player *host, *guest;
    struct room *room;
    int expires, answered;
};

/* Guards everything below, and what is in the objects. */
static pthread_mutex_t world = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_changed = PTHREAD_COND_INITIALIZER;
static struct player *online[PLAYERS], *queue;
static struct room *lobby[ROOMS];
static struct invitation *expiries[EXPIRIES];
static int nexpiries, now, matches, accepted, expired, shutting_down;

static int roll(int n)
{
    static unsigned int seed = 4711;

    seed = seed * 1103515245u + 12345u;
    return (int)((seed >> 16 & 0x7fff) % (unsigned int)n);
}

KREF_DEFINE(room, struct room, kref, free);
KREF_DEFINE(player, struct player, kref, free);

static void invitation_free(struct invitation *invitation)
{
    player_unref(invitation->host); /* put: host */
    player_unref(invitation->guest); /* put: guest */
    room_unref(invitation->room); /* put: invited to */
    free(invitation);
}

KREF_DEFINE(invitation, struct invitation, kref, invitation_free);

static struct room *open_room(void)
{
    int i;

    for (i = 0; lobby[i]; i++)
        ;
    if (!(lobby[i] = calloc(1, sizeof *lobby[i])))
        abort();
    room_ref_init(lobby[i]); /* get: lobby */
    lobby[i]->open = 1;
    return lobby[i];
}

static void close_room(struct room *room)
{
    int i;

    for (i = 0; lobby[i] != room; i++)
        ;
    lobby[i] = NULL;
    room->open = 0;
    room_unref(room); /* put: lobby */
}

static void leave(struct player *player)
{
    struct room *room = player->room;
    int i;

    if (!room)
        return;
    for (i = 0; room->seats[i] != player; i++)
        ;
    room->seats[i] = NULL;
    player->room = NULL;
    if (--room->taken == 0)
        close_room(room);
    room_unref(room); /* put: player's room */
    player_unref(player); /* put: seat */
}

static int enter(struct player *player, struct room *room)
{
    int i;

    if (!room || !room->open || room->taken == SEATS || player->room == room)
        return 0;
    leave(player);
    for (i = 0; room->seats[i]; i++)
        ;
    room->seats[i] = player_ref(player); /* get: seat */
    room->taken++;
    player->room = room_ref(room); /* get: player's room */
    return 1;
}

static void invite(struct player *host, struct player *guest)
{
    struct invitation *invitation;

    if (!host->room || host == guest || guest->mails == INBOX || nexpiries == EXPIRIES)
        return;
    if (!(invitation = calloc(1, sizeof *invitation)))
        abort();
    invitation_ref_init(invitation); /* get: inbox */
    invitation->host = player_ref(host); /* get: host */
    invitation->guest = player_ref(guest); /* get: guest */
    invitation->room = room_ref(host->room); /* get: invited to */
    invitation->expires = now + 10 + roll(30);
    guest->inbox[guest->mails++] = invitation;
    expiries[nexpiries++] = invitation_ref(invitation); /* get: expiry */
}

static void answer(struct player *guest, int at, int accept)
{
    struct invitation *invitation = guest->inbox[at];

    guest->inbox[at] = guest->inbox[--guest->mails];
    invitation->answered = 1;
    if (accept && invitation->host->online && enter(guest, invitation->room))
        accepted++;
    invitation_unref(invitation); /* put: inbox */
}

static void expire(void)
{
    int i, at;

    for (i = nexpiries - 1; i >= 0; i--) {
        struct invitation *invitation = expiries[i];
        struct player *guest = invitation->guest;

        if (invitation->expires > now)
            continue;
        expiries[i] = expiries[--nexpiries];
        if (!invitation->answered) {
            for (at = 0; guest->inbox[at] != invitation; at++)
                ;
            answer(guest, at, 0);
            expired++;
        }
        invitation_unref(invitation); /* put: expiry */
    }
}

static void wait_for_match(struct player *player)
{
    if (player->waiting || player->room)
        return;
    player->waiting = 1;
    player->next_waiting = queue;
    queue = player_ref(player); /* get: match queue */
    pthread_cond_broadcast(&queue_changed);
}

static struct player *next_in_queue(void)
{
    struct player *player = queue;

    queue = player->next_waiting;
    player->waiting = 0;
    return player;
}

static void *matchmaker(void *unused)
{
    struct player *first, *second;
    struct room *room;

    pthread_mutex_lock(&world);
    while (!shutting_down) {
        if (!queue || !queue->next_waiting) {
            pthread_cond_wait(&queue_changed, &world);
            continue;
        }
        first = next_in_queue();
        second = next_in_queue();
        if (first->online && second->online) {
            room = open_room();
            enter(first, room);
            enter(second, room);
            matches++;
        }
        player_unref(first); /* put: match queue */
        player_unref(second); /* put: match queue */
        pthread_cond_broadcast(&queue_changed);
    }
    while (queue) {
        first = next_in_queue();
        player_unref(first); /* put: match queue */
    }
    pthread_mutex_unlock(&world);
    return unused;
}

static void logout(int id)
{
    struct player *player = online[id];

    if (!player)
        return;
    online[id] = NULL;
    player->online = 0;
    while (player->mails > 0)
        answer(player, 0, 0);
    leave(player);
    player_unref(player); /* put: login */
}

static void login(int id)
{
    if (!(online[id] = calloc(1, sizeof *online[id])))
        abort();
    online[id]->online = 1;
    player_ref_init(online[id]); /* get: login */
}

static void command(int id)
{
    struct player *player = online[id], *friend = online[roll(PLAYERS)];
    int what = roll(32);

    if (what < 4)
        leave(player);
    else if (what < 12)
        wait_for_match(player);
    else if (what < 24 && friend)
        invite(player, friend);
    else if (what < 30 && player->mails > 0)
        answer(player, roll(player->mails), roll(3));
    else if (what == 31)
        logout(id);
}

int main(void)
{
    pthread_t thread;
    int id;

    if (pthread_create(&thread, NULL, matchmaker, NULL))
        return 1;
    for (now = 0; now < TURNS; now++) {
        pthread_mutex_lock(&world);
        id = roll(PLAYERS);
        if (!online[id])
            login(id);
        command(id);
        expire();
        while (queue && queue->next_waiting)
            pthread_cond_wait(&queue_changed, &world);
        pthread_mutex_unlock(&world);
    }
    pthread_mutex_lock(&world);
    shutting_down = 1;
    pthread_cond_broadcast(&queue_changed);
    pthread_mutex_unlock(&world);
    pthread_join(thread, NULL);
    for (id = 0; id < PLAYERS; id++)
        logout(id);
    now += 100;
    expire();
    printf("%d matches, %d accepted, %d expired\n", matches, accepted, expired);
    return 0;
}
