/*
 * A thread for each transfer, started by kref_thread_create(), which takes the thread's
 * reference. The list of transfers and a progress display hold the transfer, too.
 */
#include <kref.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { TRANSFERS = 30, AT_ONCE = 5 };

struct transfer {
    struct kref kref;
    pthread_mutex_t lock;
    int number, size, done;
    pthread_t thread;
};

static struct transfer *listed[TRANSFERS];
static int listed_count, refused, shown;

static void release(struct kref *kref)
{
    struct transfer *transfer = kref_entry(kref, struct transfer, kref);

    pthread_mutex_destroy(&transfer->lock);
    free(transfer);
}

static void advance(struct transfer *transfer, int bytes)
{
    pthread_mutex_lock(&transfer->lock);
    transfer->done += bytes;
    pthread_mutex_unlock(&transfer->lock);
}

static void *copy(void *arg)
{
    struct transfer *transfer = arg;
    int i;

    for (i = 0; i < transfer->size; i += 64)
        advance(transfer, 64);
    kref_put(&transfer->kref, release); /* put: thread */
    return NULL;
}

static int spawn(struct transfer *t)
{
    return kref_thread_create(&t->thread, NULL, copy, t, &t->kref, release); /* get: thread */
}

static struct transfer *transfer_new(int number)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);

    if (!transfer)
        abort();
    kref_init(&transfer->kref); /* get: caller */
    pthread_mutex_init(&transfer->lock, NULL);
    transfer->number = number;
    transfer->size = 256 + number * 64;
    return transfer;
}

static void list_add(struct transfer *transfer)
{
    kref_get(&transfer->kref); /* get: list */
    listed[listed_count++] = transfer;
}

static void list_clear(void)
{
    int i;

    for (i = 0; i < listed_count; i++)
        kref_put(&listed[i]->kref, release); /* put: list */
    listed_count = 0;
}

static int progress(struct transfer *transfer)
{
    int done;

    kref_get(&transfer->kref); /* get: display */
    pthread_mutex_lock(&transfer->lock);
    done = transfer->done;
    pthread_mutex_unlock(&transfer->lock);
    shown++;
    kref_put(&transfer->kref, release); /* put: display */
    return done;
}

/* Returns the thread, or an error. The caller's reference ends here in any case. */
static int begin(int number, pthread_t *thread)
{
    struct transfer *transfer = transfer_new(number);

    if (number % 11 == 7) {
        refused++;
        kref_put(&transfer->kref, release); /* put: caller */
        return -1;
    }
    list_add(transfer);
    if (spawn(transfer)) {
        kref_put(&transfer->kref, release); /* put: caller */
        return -1;
    }
    progress(transfer);
    *thread = transfer->thread;
    kref_put(&transfer->kref, release); /* put: caller */
    return 0;
}

int main(void)
{
    pthread_t running[AT_ONCE];
    int i, n = 0, number, sum = 0;

    for (number = 0; number < TRANSFERS; number++) {
        if (begin(number, &running[n]) == 0)
            n++;
        if (n < AT_ONCE)
            continue;
        while (n > 0)
            pthread_join(running[--n], NULL);
        for (i = 0; i < listed_count; i++)
            sum += progress(listed[i]);
        list_clear();
    }
    while (n > 0)
        pthread_join(running[--n], NULL);
    list_clear();
    printf("%d bytes, %d refused, %d shown\n", sum, refused, shown);
    return 0;
}
