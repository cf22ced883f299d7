/*
 * handoff.c - the three rules in one program: threads share, hand over and look up objects.
 *
 *   cc handoff.c $(pkg-config --cflags --libs kref) -o handoff && ./handoff
 *
 * A producer makes parcels and hands each parcel to a courier through a queue (rules 1 and 2). A board
 * shows the newest parcel. A clerk holds no reference and looks the parcel up on the board (rule 3).
 * A new thread, the inspector, gets the first parcel. At the end each parcel must have been released
 * exactly once.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

#define PARCELS 4

struct parcel {
    struct kref kref;
    int number;
    struct parcel *next; /* in the queue */
};

static int released[PARCELS + 1];
static struct kref_slot board = KREF_SLOT_INIT;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct parcel *first, **last;
    int closed;
} queue = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, &queue.first, 0 };

static void say(const char *who, const char *what, struct parcel *parcel)
{
    printf("%-9s %-42s parcel %d, %u held\n", who, what, parcel->number,
           kref_read(&parcel->kref));
}

/* The only function that frees. No lock is needed: no other thread has a reference any more. */
static void parcel_release(struct kref *kref)
{
    struct parcel *parcel = kref_entry(kref, struct parcel, kref);

    released[parcel->number]++;
    free(parcel);
}

static void done_with(const char *who, struct parcel *parcel)
{
    int number = parcel->number; /* read before the put, which may free the parcel */

    if (kref_put(&parcel->kref, parcel_release))
        printf("%-9s %-42s parcel %d\n", who, "puts the last reference: released", number);
    else
        printf("%-9s %-42s parcel %d\n", who, "puts its reference", number);
}

/* Returns -1 if the queue is closed; the caller then keeps the reference. */
static int enqueue(struct parcel *parcel)
{
    int closed;

    pthread_mutex_lock(&queue.lock);
    closed = queue.closed;
    if (!closed) {
        parcel->next = NULL;
        *queue.last = parcel;
        queue.last = &parcel->next;
        pthread_cond_signal(&queue.filled);
    }
    pthread_mutex_unlock(&queue.lock);
    return closed ? -1 : 0;
}

static struct parcel *dequeue(void)
{
    struct parcel *parcel;

    pthread_mutex_lock(&queue.lock);
    while (!queue.first && !queue.closed)
        pthread_cond_wait(&queue.filled, &queue.lock);
    parcel = queue.first;
    if (parcel && !(queue.first = parcel->next))
        queue.last = &queue.first;
    pthread_mutex_unlock(&queue.lock);
    return parcel;
}

static void close_queue(void)
{
    pthread_mutex_lock(&queue.lock);
    queue.closed = 1;
    pthread_cond_broadcast(&queue.filled);
    pthread_mutex_unlock(&queue.lock);
}

/* The courier that takes a parcel out of the queue takes over the queue's reference. */
static void *courier(void *unused)
{
    struct parcel *parcel;

    (void)unused;
    while ((parcel = dequeue())) {
        say("courier", "takes over the queue's reference", parcel);
        done_with("courier", parcel);
    }
    return NULL;
}

/* Rule 3: the clerk holds no reference, so one call looks up the parcel and gets a reference. */
static void *clerk(void *unused)
{
    struct parcel *parcel = kref_entry(kref_slot_get(&board), struct parcel, kref);

    (void)unused;
    if (parcel) {
        say("clerk", "finds on the board, with a reference", parcel);
        done_with("clerk", parcel);
    } else {
        printf("%-9s %s\n", "clerk", "finds the board empty");
    }
    return NULL;
}

static void *inspector(void *arg)
{
    struct parcel *parcel = (struct parcel *)arg;

    say("inspector", "was started with a reference", parcel);
    done_with("inspector", parcel);
    return NULL;
}

/* Shows a parcel on the board, or clears the board. Puts the board's reference on the old parcel. */
static void show(struct parcel *parcel)
{
    struct kref *old;

    if (parcel) {
        kref_get(&parcel->kref); /* rule 1: the board's reference */
        say("board", "is given a reference", parcel);
    }
    old = kref_slot_replace(&board, parcel ? &parcel->kref : NULL);
    if (old)
        done_with("board", kref_entry(old, struct parcel, kref));
}

static int produce(int number)
{
    struct parcel *parcel = (struct parcel *)malloc(sizeof *parcel);

    if (!parcel)
        return -1;
    kref_init(&parcel->kref); /* one reference: the producer's */
    parcel->number = number;
    say("producer", "makes", parcel);
    show(parcel);

    kref_get(&parcel->kref); /* rule 1: the queue's reference, before the hand-over */
    say("queue", "is given a reference", parcel);
    if (enqueue(parcel)) {
        say("producer", "finds the queue closed, takes it back", parcel);
        done_with("producer", parcel);
    }
    if (number == 1) {
        pthread_t thread;

        /* Rule 1 in one call: get, pthread_create, and put if pthread_create fails. */
        if (!kref_thread_create(&thread, NULL, inspector, parcel, &parcel->kref, parcel_release))
            pthread_join(thread, NULL);
    }
    done_with("producer", parcel); /* rule 2 */
    return 0;
}

int main(void)
{
    pthread_t couriers[2], clerks[2];
    int i, wrong = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (i = 0; i < 2; i++)
        if (pthread_create(&couriers[i], NULL, courier, NULL))
            return 1;
    for (i = 1; i < PARCELS; i++)
        if (produce(i))
            return 1;
    for (i = 0; i < 2; i++)
        if (pthread_create(&clerks[i], NULL, clerk, NULL))
            return 1;
    close_queue();
    if (produce(PARCELS)) /* the queue is closed, so this hand-over fails */
        return 1;
    for (i = 0; i < 2; i++) {
        pthread_join(clerks[i], NULL);
        pthread_join(couriers[i], NULL);
    }
    show(NULL);

    for (i = 1; i <= PARCELS; i++) {
        if (released[i] == 1)
            printf("parcel %d: released exactly once\n", i);
        else
            printf("parcel %d: released %d times\n", i, released[i]);
        wrong += released[i] != 1;
    }
    return wrong ? 1 : 0;
}
