/*
 * The world of a game server. Every tick a snapshot of the states of all entities is taken, and a thread sends it to
 * the clients, as a difference from the last snapshot that the client is known to have. States do not change: an
 * entity that moves gets a new one.
 */
#include <kref.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define SLOTS 24
#define CLIENTS 4
#define HISTORY 8
#define TICKS 400

typedef struct State {
    struct kref refs;
    int x, health;
} State;

typedef struct Entity {
    struct kref refs;
    int slot, alive, fuse;
    State *state;
    struct Entity *target, *owner; /* only a missile has an owner */
} Entity;

typedef struct Snapshot {
    struct kref refs;
    int tick;
    State *states[SLOTS];
} Snapshot;

typedef struct Client {
    Snapshot *sending, *unacked, *baseline;
    long words;
} Client;

static Entity *world[SLOTS];
static Snapshot *history[HISTORY];
static Client clients[CLIENTS];
static int kills, resent;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t handover = PTHREAD_COND_INITIALIZER;
static int sends, stop;

static int dice(int sides)
{
    static unsigned long long state = 31337;

    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (int)((state >> 33) % (unsigned)sides);
}

static void Entity_free(Entity *entity);
static void Snapshot_free(Snapshot *snapshot);

KREF_DEFINE(State, State, refs, free);
KREF_DEFINE(Entity, Entity, refs, Entity_free);
KREF_DEFINE(Snapshot, Snapshot, refs, Snapshot_free);

static void Entity_free(Entity *entity)
{
    if (entity->owner)
        Entity_unref(entity->owner); /* put: owner */
    State_unref(entity->state); /* put: current state */
    free(entity);
}

static void Snapshot_free(Snapshot *snapshot)
{
    int i;

    for (i = 0; i < SLOTS; i++)
        if (snapshot->states[i])
            State_unref(snapshot->states[i]); /* put: snapshot's state */
    free(snapshot);
}

static void ChangeState(Entity *entity, int x, int health)
{
    State *old = entity->state, *state = malloc(sizeof *state);

    State_ref_init(state); /* get: current state */
    state->x = x;
    state->health = health;
    entity->state = state;
    if (old)
        State_unref(old); /* put: current state */
}

static Entity *Spawn(int slot, int x)
{
    Entity *entity = calloc(1, sizeof *entity);

    Entity_ref_init(entity); /* get: world */
    entity->slot = slot;
    entity->alive = 1;
    ChangeState(entity, x, 3);
    world[slot] = entity;
    return entity;
}

static void ClearTarget(Entity *entity)
{
    if (entity->target)
        Entity_unref(entity->target); /* put: target */
    entity->target = NULL;
}

static void Remove(Entity *entity)
{
    world[entity->slot] = NULL;
    entity->alive = 0;
    ClearTarget(entity);
    Entity_unref(entity); /* put: world */
}

static void Hit(Entity *victim, Entity *shooter)
{
    ChangeState(victim, victim->state->x, victim->state->health - 1);
    if (victim->state->health > 0 || !victim->alive)
        return;
    kills++;
    if (shooter->alive)
        ChangeState(shooter, shooter->state->x, shooter->state->health + 1);
    Remove(victim);
}

static void ThinkMissile(Entity *missile)
{
    ChangeState(missile, (missile->state->x + missile->target->state->x) / 2, 1);
    if (--missile->fuse > 0)
        return;
    Hit(missile->target, missile->owner);
    Remove(missile);
}

static void Think(Entity *entity)
{
    Entity *other = world[dice(SLOTS)], *missile;
    int slot = dice(SLOTS);

    if (entity->target && !entity->target->alive)
        ClearTarget(entity);
    if (!entity->target && other && other != entity && !other->owner)
        entity->target = Entity_ref(other); /* get: target */
    if (dice(3) == 0)
        ChangeState(entity, entity->state->x + dice(9) - 4, entity->state->health);
    if (world[slot])
        return;
    if (!entity->target || dice(4) == 0) {
        Spawn(slot, dice(100));
        return;
    }
    missile = Spawn(slot, entity->state->x);
    missile->fuse = 2 + dice(4);
    missile->owner = Entity_ref(entity); /* get: owner */
    missile->target = Entity_ref(entity->target); /* get: target */
}

static Snapshot *TakeSnapshot(int tick)
{
    Snapshot *snapshot = calloc(1, sizeof *snapshot);
    int i;

    Snapshot_ref_init(snapshot); /* get: history */
    snapshot->tick = tick;
    for (i = 0; i < SLOTS; i++)
        if (world[i])
            snapshot->states[i] = State_ref(world[i]->state); /* get: snapshot's state */
    if (history[tick % HISTORY])
        Snapshot_unref(history[tick % HISTORY]); /* put: history */
    history[tick % HISTORY] = snapshot;
    return snapshot;
}

static void Encode(Client *client, const Snapshot *snapshot)
{
    int i;

    for (i = 0; i < SLOTS; i++)
        if (!client->baseline || client->baseline->states[i] != snapshot->states[i])
            client->words += snapshot->states[i] ? 2 : 1;
}

static void *Sender(void *unused)
{
    int i;

    pthread_mutex_lock(&lock);
    while (!stop) {
        for (i = 0; i < CLIENTS; i++) {
            Client *client = &clients[i];

            if (!client->sending)
                continue;
            Encode(client, client->sending);
            client->unacked = Snapshot_ref(client->sending); /* get: client */
            Snapshot_unref(client->sending); /* put: to send */
            client->sending = NULL;
            sends--;
        }
        pthread_cond_broadcast(&handover);
        while (!sends && !stop)
            pthread_cond_wait(&handover, &lock);
    }
    pthread_mutex_unlock(&lock);
    return unused;
}

/* Of three packets one is lost. */
static void ReceiveAck(Client *client)
{
    if (!client->unacked)
        return;
    if (dice(3) == 0) {
        resent++;
        Snapshot_unref(client->unacked); /* put: client */
    } else {
        if (client->baseline)
            Snapshot_unref(client->baseline); /* put: client */
        client->baseline = client->unacked;
    }
    client->unacked = NULL;
}

static void Tick(int tick)
{
    Snapshot *snapshot;
    int i;

    for (i = 0; i < SLOTS; i++)
        if (world[i])
            (world[i]->owner ? ThinkMissile : Think)(world[i]);
    snapshot = TakeSnapshot(tick);
    pthread_mutex_lock(&lock);
    while (sends)
        pthread_cond_wait(&handover, &lock);
    for (i = 0; i < CLIENTS; i++) {
        ReceiveAck(&clients[i]);
        if (dice(30) == 0) {
            if (clients[i].baseline)
                Snapshot_unref(clients[i].baseline); /* put: client */
            clients[i].baseline = NULL;
        }
        if (dice(4)) {
            clients[i].sending = Snapshot_ref(snapshot); /* get: to send */
            sends++;
        }
    }
    pthread_cond_broadcast(&handover);
    pthread_mutex_unlock(&lock);
}

int main(void)
{
    pthread_t sender;
    long words = 0;
    int i;

    if (pthread_create(&sender, NULL, Sender, NULL))
        return 1;
    Spawn(0, 50);
    for (i = 0; i < TICKS; i++)
        Tick(i);
    pthread_mutex_lock(&lock);
    while (sends)
        pthread_cond_wait(&handover, &lock);
    stop = 1;
    pthread_cond_broadcast(&handover);
    pthread_mutex_unlock(&lock);
    pthread_join(sender, NULL);
    for (i = 0; i < CLIENTS; i++) {
        words += clients[i].words;
        if (clients[i].unacked)
            Snapshot_unref(clients[i].unacked); /* put: client */
        if (clients[i].baseline)
            Snapshot_unref(clients[i].baseline); /* put: client */
    }
    for (i = 0; i < HISTORY; i++)
        if (history[i])
            Snapshot_unref(history[i]); /* put: history */
    for (i = 0; i < SLOTS; i++)
        if (world[i])
            Remove(world[i]);
    printf("%d killed, %ld words sent, %d packets lost\n", kills, words, resent);
    return 0;
}
