/*
 * A block layer. Bios that follow each other are merged into a request, which the thread of the device completes.
 * A large bio is split, and a request that the device has lost is issued again.
 */
#include <kref.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define DISK_SIZE 4096
#define MAX_SECTORS 16
#define OPERATIONS 600

struct request_queue {
    struct kref kref;
    pthread_mutex_t lock;
    pthread_cond_t wait;
    struct request *head, **tail;
    struct request *timeouts;
    int closed;
};

struct bio {
    struct kref bi_cnt;
    struct bio *bi_next, *bi_parent;
    int bi_sector, bi_size, bi_remaining, bi_error;
};

struct request {
    struct kref ref;
    struct request_queue *q;
    struct request *queued, *next_timeout;
    struct bio *bio, **biotail;
    int end, losses, lost; /* end: the sector after the last one */
};

static struct request *plug;
static int merged, errors;

static int prandom(int max)
{
    static unsigned int state = 0x9e3779b9;

    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return (int)(state % (unsigned int)max);
}

static void *zalloc(size_t size)
{
    void *memory = calloc(1, size);

    if (!memory)
        abort();
    return memory;
}

static void queue_release(struct kref *kref)
{
    struct request_queue *q = kref_entry(kref, struct request_queue, kref);

    pthread_cond_destroy(&q->wait);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

static void bio_free(struct kref *kref)
{
    struct bio *bio = kref_entry(kref, struct bio, bi_cnt);

    if (bio->bi_parent)
        kref_put(&bio->bi_parent->bi_cnt, bio_free); /* put: parent */
    free(bio);
}

static void bio_put(struct bio *bio)
{
    kref_put(&bio->bi_cnt, bio_free);
}

static void request_free(struct kref *kref)
{
    struct request *rq = kref_entry(kref, struct request, ref);

    kref_put(&rq->q->kref, queue_release); /* put: request's queue */
    free(rq);
}

/* This function and the next two are called with q->lock held. */
static void bio_endio(struct bio *bio, int error)
{
    for (; bio; bio = bio->bi_parent) {
        bio->bi_error |= error;
        if (--bio->bi_remaining > 0)
            return;
        error = bio->bi_error;
    }
}

static void complete(struct request_queue *q, struct request *rq, int error)
{
    struct request **at = &q->timeouts;
    struct bio *bio;

    while (*at && *at != rq)
        at = &(*at)->next_timeout;
    if (*at) {
        *at = rq->next_timeout;
        kref_put(&rq->ref, request_free); /* put: timeout list */
    }
    while ((bio = rq->bio)) {
        rq->bio = bio->bi_next;
        bio_endio(bio, error);
        bio_put(bio); /* put: request's bio */
    }
}

static void issue(struct request_queue *q, struct request *rq)
{
    rq->queued = NULL;
    *q->tail = rq;
    q->tail = &rq->queued;
    pthread_cond_broadcast(&q->wait);
}

static void *device(void *data)
{
    struct request_queue *q = data;
    struct request *rq;

    pthread_mutex_lock(&q->lock);
    for (;;) {
        while (!q->head && !q->closed)
            pthread_cond_wait(&q->wait, &q->lock);
        if (!(rq = q->head))
            break;
        if (!(q->head = rq->queued))
            q->tail = &q->head;
        if (rq->losses-- > 0)
            rq->lost = 1;
        else
            complete(q, rq, 0);
        pthread_cond_broadcast(&q->wait);
        kref_put(&rq->ref, request_free); /* put: issued */
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

static void timeout_work(struct request_queue *q)
{
    struct request *rq;

    for (rq = q->timeouts; rq; rq = rq->next_timeout)
        if (rq->lost) {
            rq->lost = 0;
            kref_get(&rq->ref); /* get: issued */
            issue(q, rq);
        }
}

static void flush_plug(struct request_queue *q)
{
    struct request *rq = plug;

    plug = NULL;
    if (!rq)
        return;
    pthread_mutex_lock(&q->lock);
    if (rq->end > DISK_SIZE) {
        complete(q, rq, -5);
        kref_put(&rq->ref, request_free); /* put: issued */
    } else {
        kref_get(&rq->ref); /* get: timeout list */
        rq->next_timeout = q->timeouts;
        q->timeouts = rq;
        issue(q, rq);
    }
    pthread_mutex_unlock(&q->lock);
}

static struct request *alloc_request(struct request_queue *q, int sector)
{
    struct request *rq = zalloc(sizeof *rq);

    kref_init(&rq->ref); /* get: issued */
    kref_get(&q->kref); /* get: request's queue */
    rq->q = q;
    rq->end = sector;
    rq->biotail = &rq->bio;
    rq->losses = prandom(12) == 0 ? 1 + prandom(2) : 0;
    return rq;
}

static struct bio *bio_alloc(int sector, int size)
{
    struct bio *bio = zalloc(sizeof *bio);

    kref_init(&bio->bi_cnt); /* get: submitter */
    bio->bi_sector = sector;
    bio->bi_size = size;
    bio->bi_remaining = 1;
    return bio;
}

static void submit_bio(struct request_queue *q, struct bio *bio)
{
    if (bio->bi_size > MAX_SECTORS) {
        struct bio *rest = bio_alloc(bio->bi_sector + MAX_SECTORS, bio->bi_size - MAX_SECTORS);

        bio->bi_size = MAX_SECTORS;
        bio->bi_remaining++;
        kref_get(&bio->bi_cnt); /* get: parent */
        rest->bi_parent = bio;
        submit_bio(q, rest);
        bio_put(rest); /* put: submitter */
    }
    if (plug && plug->end == bio->bi_sector) {
        merged++;
    } else {
        flush_plug(q);
        plug = alloc_request(q, bio->bi_sector);
    }
    kref_get(&bio->bi_cnt); /* get: request's bio */
    *plug->biotail = bio;
    plug->biotail = &bio->bi_next;
    plug->end += bio->bi_size;
}

static void submit_bio_wait(struct request_queue *q, struct bio *bio)
{
    submit_bio(q, bio);
    flush_plug(q);
    pthread_mutex_lock(&q->lock);
    for (timeout_work(q); bio->bi_remaining > 0; timeout_work(q))
        pthread_cond_wait(&q->wait, &q->lock);
    errors += bio->bi_error != 0;
    pthread_mutex_unlock(&q->lock);
}

int main(void)
{
    struct request_queue *q = zalloc(sizeof *q);
    pthread_t thread;
    int i, sector = 0;

    kref_init(&q->kref); /* get: disk */
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->wait, NULL);
    q->tail = &q->head;
    if (pthread_create(&thread, NULL, device, q))
        return 1;
    for (i = 0; i < OPERATIONS; i++) {
        struct bio *bio = bio_alloc(sector, 1 + prandom(prandom(4) ? 12 : 40));

        sector = prandom(3) ? sector + bio->bi_size : prandom(DISK_SIZE);
        if (prandom(5) == 0)
            submit_bio_wait(q, bio);
        else
            submit_bio(q, bio);
        bio_put(bio); /* put: submitter */
    }
    flush_plug(q);
    pthread_mutex_lock(&q->lock);
    for (; q->timeouts; pthread_cond_wait(&q->wait, &q->lock))
        timeout_work(q);
    q->closed = 1;
    pthread_cond_broadcast(&q->wait);
    pthread_mutex_unlock(&q->lock);
    pthread_join(thread, NULL);
    kref_put(&q->kref, queue_release); /* put: disk */
    printf("%d merged, %d errors\n", merged, errors);
    return 0;
}
