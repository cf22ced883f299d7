/*
 * The log of a replicated store. The leader appends entries, which the log and the queues of
 * the followers share. A compactor thread turns the old end of the log into a snapshot, and a
 * follower that has lost its state starts from the newest one.
 */
#include <kref.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLLOWERS 3
#define ENTRIES 420
#define KEYS 8
#define KEEP 32
#define BACKUP_AT 60

struct log_entry {
    struct kref kref;
    int index, key, value, acks;
};

struct snapshot {
    struct kref kref;
    struct log_entry *last_included;
    int values[KEYS];
};

struct follower {
    struct log_entry *queue[ENTRIES];
    int head, tail, values[KEYS];
    pthread_t thread;
};

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t progress = PTHREAD_COND_INITIALIZER;
static struct log_entry *replicated_log[ENTRIES];
static int log_start, log_end, stopping;
static struct follower followers[FOLLOWERS];
static pthread_mutex_t snapshot_lock = PTHREAD_MUTEX_INITIALIZER;
static struct snapshot *newest;

static void entry_release(struct kref *kref)
{
    free(kref_entry(kref, struct log_entry, kref));
}

static void entry_put(struct log_entry *entry)
{
    kref_put(&entry->kref, entry_release);
}

static void snapshot_release(struct kref *kref)
{
    struct snapshot *snapshot = kref_entry(kref, struct snapshot, kref);

    if (snapshot->last_included)
        entry_put(snapshot->last_included); /* put: last included */
    free(snapshot);
}

static struct kref *find_newest(void *unused)
{
    (void)unused;
    return &newest->kref;
}

static struct snapshot *snapshot_get(void)
{
    struct kref *kref = kref_lookup_mutex(&snapshot_lock, find_newest, NULL);

    return kref_entry(kref, struct snapshot, kref);
}

static void snapshot_put(struct snapshot *snapshot)
{
    kref_put(&snapshot->kref, snapshot_release);
}

/* The next snapshot: the newest one and these entries. */
static struct snapshot *snapshot_make(struct log_entry **entries, int count)
{
    struct snapshot *next = calloc(1, sizeof *next);
    int i;

    if (!next)
        abort();
    kref_init(&next->kref); /* get: newest */
    if (newest)
        memcpy(next->values, newest->values, sizeof next->values);
    for (i = 0; i < count; i++)
        next->values[entries[i]->key] = entries[i]->value;
    if (count > 0) {
        kref_get(&entries[count - 1]->kref); /* get: last included */
        next->last_included = entries[count - 1];
    }
    return next;
}

static void *compactor(void *unused)
{
    struct log_entry *old[ENTRIES];
    struct snapshot *next, *former;
    int i, n;

    (void)unused;
    for (;;) {
        pthread_mutex_lock(&log_lock);
        while (log_end - log_start <= KEEP && !stopping)
            pthread_cond_wait(&progress, &log_lock);
        n = log_end - log_start > KEEP ? KEEP / 2 : 0;
        for (i = 0; i < n; i++)
            old[i] = replicated_log[log_start + i];
        log_start += n;
        pthread_mutex_unlock(&log_lock);
        if (n == 0)
            return NULL;
        next = snapshot_make(old, n);
        pthread_mutex_lock(&snapshot_lock);
        former = newest;
        newest = next;
        pthread_mutex_unlock(&snapshot_lock);
        snapshot_put(former); /* put: newest */
        for (i = 0; i < n; i++)
            entry_put(old[i]); /* put: log */
    }
}

static void install(struct follower *follower)
{
    struct snapshot *snapshot = snapshot_get(); /* get: install */

    memcpy(follower->values, snapshot->values, sizeof follower->values);
    snapshot_put(snapshot); /* put: install */
}

static struct log_entry *receive(struct follower *follower)
{
    struct log_entry *entry = NULL;

    pthread_mutex_lock(&log_lock);
    while (follower->head == follower->tail && !stopping)
        pthread_cond_wait(&progress, &log_lock);
    if (follower->head < follower->tail)
        entry = follower->queue[follower->head++];
    pthread_mutex_unlock(&log_lock);
    return entry;
}

static void *follow(void *arg)
{
    struct follower *follower = arg;
    struct log_entry *entry;

    while ((entry = receive(follower))) {
        if (entry->index % 41 == 20 + follower - followers)
            install(follower);
        follower->values[entry->key] = entry->value;
        pthread_mutex_lock(&log_lock);
        entry->acks++;
        pthread_cond_broadcast(&progress);
        pthread_mutex_unlock(&log_lock);
        entry_put(entry); /* put: queue */
    }
    return NULL;
}

static struct log_entry *propose(int index)
{
    static unsigned state = 99;
    struct log_entry *entry = calloc(1, sizeof *entry);
    int i;

    if (!entry)
        abort();
    kref_init(&entry->kref); /* get: proposal */
    state = state * 134775813 + 1;
    entry->index = index;
    entry->key = state >> 29;
    entry->value = (state >> 8) % 1000;
    pthread_mutex_lock(&log_lock);
    kref_get(&entry->kref); /* get: log */
    replicated_log[log_end++] = entry;
    for (i = 0; i < FOLLOWERS; i++) {
        kref_get(&entry->kref); /* get: queue */
        followers[i].queue[followers[i].tail++] = entry;
    }
    pthread_cond_broadcast(&progress);
    pthread_mutex_unlock(&log_lock);
    return entry;
}

/* Until two of the three followers have the entry. */
static int commit(struct log_entry *entry)
{
    int value = entry->value;

    pthread_mutex_lock(&log_lock);
    while (entry->acks < 2)
        pthread_cond_wait(&progress, &log_lock);
    pthread_mutex_unlock(&log_lock);
    entry_put(entry); /* put: proposal */
    return value;
}

int main(void)
{
    struct log_entry *window[4] = { NULL };
    struct snapshot *backup = NULL;
    pthread_t compacting;
    long sum = 0;
    int i;

    newest = snapshot_make(NULL, 0);
    for (i = 0; i < FOLLOWERS; i++)
        if (pthread_create(&followers[i].thread, NULL, follow, &followers[i]))
            return 1;
    if (pthread_create(&compacting, NULL, compactor, NULL))
        return 1;
    for (i = 0; i < ENTRIES + 4; i++) {
        if (window[i % 4])
            sum += commit(window[i % 4]);
        window[i % 4] = i < ENTRIES ? propose(i) : NULL;
        if (i % BACKUP_AT == 10)
            backup = snapshot_get(); /* get: backup */
        if (i % BACKUP_AT == 50 && backup)
            snapshot_put(backup); /* put: backup */
    }
    pthread_mutex_lock(&log_lock);
    stopping = 1;
    pthread_cond_broadcast(&progress);
    pthread_mutex_unlock(&log_lock);
    for (i = 0; i < FOLLOWERS; i++)
        pthread_join(followers[i].thread, NULL);
    pthread_join(compacting, NULL);
    for (i = log_start; i < log_end; i++)
        entry_put(replicated_log[i]); /* put: log */
    snapshot_put(newest); /* put: newest */
    printf("%ld\n", sum);
    return 0;
}
