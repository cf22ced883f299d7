/*
 * The data path of a tunnel driver. A peer has up to three keypairs, which change places when a handshake is done.
 * Packets find their keypair by an index in a table without references. A kworker encrypts what is sent.
 */
#include <kref.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { PEERS = 5, TABLE = 1024, RING = 8, ROUNDS = 3000, RETRY = 9, REJECT_AFTER = 24 };

struct wg_peer {
    struct kref refcount;
    struct noise_keypair *current_kp, *previous_kp, *next_kp;
};

struct noise_keypair {
    struct kref refcount;
    struct wg_peer *peer;
    unsigned int index;
    int sent, initiator;
};

/* In flight: we have sent an initiation. */
struct handshake {
    struct wg_peer *peer;
    int attempts, expires;
};

struct crypt_ctx {
    struct noise_keypair *keypair;
    struct wg_peer *peer;
};

static struct wg_peer *peers[PEERS];
static struct handshake *timers[PEERS];
static int jiffies, tx_dropped, confirmed;

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct noise_keypair *index_table[TABLE];
static unsigned int next_index;

static pthread_mutex_t ring_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ring_wait = PTHREAD_COND_INITIALIZER;
static struct crypt_ctx tx_ring[RING];
static unsigned int head, tail, stopping;

static unsigned int get_random(unsigned int ceil)
{
    static unsigned int a = 0x9e3779b9;

    a = a * 69069 + 362437;
    return (a >> 10) % ceil;
}

KREF_DEFINE(peer, struct wg_peer, refcount, free);

/* The last put has taken the lock, so that no lookup finds the keypair. */
static void keypair_release(struct kref *kref)
{
    struct noise_keypair *keypair = kref_entry(kref, struct noise_keypair, refcount);

    index_table[keypair->index] = NULL;
    pthread_mutex_unlock(&table_lock);
    peer_unref(keypair->peer); /* put: keypair's peer */
    free(keypair);
}

static void keypair_put(struct noise_keypair *keypair)
{
    kref_put_mutex(&keypair->refcount, keypair_release, &table_lock);
}

static struct kref *find_index(void *key)
{
    struct noise_keypair *keypair = index_table[*(unsigned int *)key];

    return keypair ? &keypair->refcount : NULL;
}

static struct noise_keypair *keypair_create(struct wg_peer *peer, int initiator)
{
    struct noise_keypair *keypair = calloc(1, sizeof *keypair);

    kref_init(&keypair->refcount); /* get: keypairs */
    keypair->initiator = initiator;
    keypair->peer = peer_ref(peer); /* get: keypair's peer */
    pthread_mutex_lock(&table_lock);
    while (index_table[next_index % TABLE])
        next_index++;
    keypair->index = next_index++ % TABLE;
    index_table[keypair->index] = keypair;
    pthread_mutex_unlock(&table_lock);
    return keypair;
}

/* The initiator may send at once; the responder waits for the first packet. */
static void add_new_keypair(struct wg_peer *peer, struct noise_keypair *new)
{
    if (peer->previous_kp)
        keypair_put(peer->previous_kp); /* put: keypairs */
    peer->previous_kp = NULL;
    if (!new->initiator) {
        if (peer->next_kp)
            keypair_put(peer->next_kp); /* put: keypairs */
        peer->next_kp = new;
        return;
    }
    if (peer->next_kp) {
        if (peer->current_kp)
            keypair_put(peer->current_kp); /* put: keypairs */
        peer->previous_kp = peer->next_kp;
        peer->next_kp = NULL;
    } else {
        peer->previous_kp = peer->current_kp;
    }
    peer->current_kp = new;
}

static void received_with_keypair(struct wg_peer *peer, struct noise_keypair *used)
{
    if (peer->next_kp != used)
        return;
    confirmed++;
    if (peer->previous_kp)
        keypair_put(peer->previous_kp); /* put: keypairs */
    peer->previous_kp = peer->current_kp;
    peer->current_kp = used;
    peer->next_kp = NULL;
}

static void keypairs_clear(struct wg_peer *peer)
{
    if (peer->previous_kp)
        keypair_put(peer->previous_kp); /* put: keypairs */
    if (peer->current_kp)
        keypair_put(peer->current_kp); /* put: keypairs */
    if (peer->next_kp)
        keypair_put(peer->next_kp); /* put: keypairs */
    peer->previous_kp = peer->current_kp = peer->next_kp = NULL;
}

static void send_initiation(int i)
{
    struct handshake *hs = timers[i];

    if (hs)
        return;
    hs = timers[i] = calloc(1, sizeof *hs);
    hs->peer = peer_ref(peers[i]); /* get: handshake */
    hs->expires = jiffies + RETRY;
}

static void handshake_end(int i)
{
    struct handshake *hs = timers[i];

    timers[i] = NULL;
    peer_unref(hs->peer); /* put: handshake */
    free(hs);
}

static void expired_retransmit(void)
{
    int i;

    for (i = 0; i < PEERS; i++) {
        if (!timers[i] || timers[i]->expires > jiffies)
            continue;
        timers[i]->expires = jiffies + RETRY;
        if (++timers[i]->attempts == 3)
            handshake_end(i);
    }
}

static void consume_response(int i)
{
    struct wg_peer *peer = timers[i]->peer;

    add_new_keypair(peer, keypair_create(peer, 1));
    handshake_end(i);
}

static void xmit(int i)
{
    struct noise_keypair *keypair = peers[i]->current_kp;

    if (!keypair || keypair->sent >= REJECT_AFTER) {
        tx_dropped++;
        send_initiation(i);
        return;
    }
    kref_get(&keypair->refcount); /* get: packet's keypair */
    if (++keypair->sent == REJECT_AFTER - 10)
        send_initiation(i);
    pthread_mutex_lock(&ring_lock);
    while (head - tail == RING)
        pthread_cond_wait(&ring_wait, &ring_lock);
    tx_ring[head++ % RING] = (struct crypt_ctx){ keypair, peer_ref(peers[i]) }; /* get: packet's peer */
    pthread_cond_broadcast(&ring_wait);
    pthread_mutex_unlock(&ring_lock);
}

static void *encrypt_worker(void *encrypted)
{
    struct crypt_ctx ctx;

    pthread_mutex_lock(&ring_lock);
    for (;;) {
        while (head == tail && !stopping)
            pthread_cond_wait(&ring_wait, &ring_lock);
        if (head == tail)
            break;
        ctx = tx_ring[tail++ % RING];
        pthread_cond_broadcast(&ring_wait);
        pthread_mutex_unlock(&ring_lock);
        ++*(int *)encrypted;
        keypair_put(ctx.keypair); /* put: packet's keypair */
        peer_unref(ctx.peer); /* put: packet's peer */
        pthread_mutex_lock(&ring_lock);
    }
    pthread_mutex_unlock(&ring_lock);
    return NULL;
}

static void receive(unsigned int index, int corrupt)
{
    struct kref *kref = kref_lookup_mutex(&table_lock, find_index, &index); /* get: received */
    struct noise_keypair *keypair = kref_entry(kref, struct noise_keypair, refcount);

    if (!keypair)
        return;
    if (!corrupt)
        received_with_keypair(keypair->peer, keypair);
    keypair_put(keypair); /* put: received */
}

static void peer_create(int i)
{
    peers[i] = calloc(1, sizeof *peers[i]);
    peer_ref_init(peers[i]); /* get: device */
}

static void peer_remove(int i)
{
    if (timers[i])
        handshake_end(i);
    keypairs_clear(peers[i]);
    peer_unref(peers[i]); /* put: device */
}

int main(void)
{
    pthread_t worker;
    int i, encrypted = 0;

    if (pthread_create(&worker, NULL, encrypt_worker, &encrypted))
        return 1;
    for (i = 0; i < PEERS; i++)
        peer_create(i);
    for (; jiffies < ROUNDS; jiffies++) {
        i = get_random(PEERS);
        expired_retransmit();
        xmit(i);
        /* Some packets are late: their keypair is gone. */
        receive((next_index - get_random(2 * PEERS)) % TABLE, get_random(10) == 0);
        if (timers[i] && get_random(6))
            consume_response(i);
        if (get_random(40) == 0)
            add_new_keypair(peers[i], keypair_create(peers[i], 0));
        if (get_random(150) == 0) {
            peer_remove(i);
            peer_create(i);
        }
    }
    for (i = 0; i < PEERS; i++)
        peer_remove(i);
    pthread_mutex_lock(&ring_lock);
    stopping = 1;
    pthread_cond_broadcast(&ring_wait);
    pthread_mutex_unlock(&ring_lock);
    pthread_join(worker, NULL);
    printf("%d encrypted, %d not sent, %d confirmed\n", encrypted, tx_dropped, confirmed);
    return 0;
}
