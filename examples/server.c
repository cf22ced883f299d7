/*
 * A small server, without its sockets: clients put requests into a queue, workers answer them from a
 * cache of pages, in the name of sessions that may be closed meanwhile. Each object is counted, and
 * each hand-over is one of the three rules.
 *
 *     cc -O2 server.c $(pkg-config --cflags --libs kref) -o server
 *     ./server [requests]          prints how long they took
 *     kref-track ./server          and who forgot a reference: nobody
 *     kref-track ./server 1000 leak      as if a worker forgot its session's on an error
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLIENTS 2
#define WORKERS 4
#define SESSIONS 64
#define PAGES 128
#define PAGE_SIZE 8192
#define ROOM 256

struct session {
    struct kref kref;
    int user;
    unsigned int requests;
};

struct page {
    struct kref kref;
    int number;
    unsigned char text[PAGE_SIZE];
};

struct request {
    struct kref kref;
    struct session *session; /* a reference, the request's */
    int page;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct session *sessions[SESSIONS]; /* a reference on each */
static struct page *pages[PAGES];          /* the cache: likewise */

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;
static pthread_cond_t queue_drained = PTHREAD_COND_INITIALIZER;
static struct request *queue[ROOM]; /* takes over the client's reference */
static unsigned int queue_head, queue_tail;
static int closing;

static int leak;
static unsigned int answered;

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);

    if (!memory)
        abort();
    return memory;
}

static void session_release(struct kref *kref)
{
    free(kref_entry(kref, struct session, kref));
}

static void page_release(struct kref *kref)
{
    free(kref_entry(kref, struct page, kref));
}

static void request_release(struct kref *kref)
{
    struct request *request = kref_entry(kref, struct request, kref);

    kref_put_as(&request->session->kref, session_release, "request");
    free(request);
}

static struct session *session_new(int user)
{
    struct session *session = allocate(sizeof *session);

    kref_init(&session->kref);
    session->user = user;
    return session;
}

static struct page *page_new(int number)
{
    struct page *page = allocate(sizeof *page);

    kref_init(&page->kref);
    page->number = number;
    memset(page->text, 'a' + number % 26, sizeof page->text);
    return page;
}

/* Rule 3: looked up and taken in one step. */
static struct session *session_get(int user)
{
    struct session *session;

    pthread_mutex_lock(&lock);
    session = sessions[user];
    kref_get_as(&session->kref, "request");
    pthread_mutex_unlock(&lock);
    return session;
}

static struct page *page_get(int number)
{
    struct page *page;

    pthread_mutex_lock(&lock);
    page = pages[number];
    kref_get_as(&page->kref, "worker");
    pthread_mutex_unlock(&lock);
    return page;
}

/* Somebody logs in anew: whoever still works for the old session keeps it until he is done. */
static void session_renew(int user)
{
    struct session *session = session_new(user), *old;

    pthread_mutex_lock(&lock);
    old = sessions[user];
    sessions[user] = session;
    pthread_mutex_unlock(&lock);
    kref_put(&old->kref, session_release);
}

/* Takes over the caller's reference. */
static void queue_push(struct request *request)
{
    pthread_mutex_lock(&queue_lock);
    while (queue_tail - queue_head == ROOM)
        pthread_cond_wait(&queue_drained, &queue_lock);
    queue[queue_tail++ % ROOM] = request;
    pthread_cond_signal(&queue_filled);
    pthread_mutex_unlock(&queue_lock);
}

/* A request with its reference, or NULL when the server closes. */
static struct request *queue_pop(void)
{
    struct request *request = NULL;

    pthread_mutex_lock(&queue_lock);
    while (queue_tail == queue_head && !closing)
        pthread_cond_wait(&queue_filled, &queue_lock);
    if (queue_tail != queue_head)
        request = queue[queue_head++ % ROOM];
    pthread_cond_signal(&queue_drained);
    pthread_mutex_unlock(&queue_lock);
    return request;
}

static unsigned int render(const struct page *page, const struct session *session)
{
    unsigned int sum = session->user;
    size_t i;

    for (i = 0; i < sizeof page->text; i++)
        sum = sum * 31 + page->text[i];
    return sum;
}

static void answer(struct request *request)
{
    struct page *page = page_get(request->page);
    struct session *session = request->session;

    kref_get_as(&session->kref, "log");
    __atomic_add_fetch(&session->requests, render(page, session) != 0, __ATOMIC_RELAXED);
    __atomic_add_fetch(&answered, 1, __ATOMIC_RELAXED);
    kref_put_as(&page->kref, page_release, "worker");
    if (leak && request->page == 13)
        return; /* the bug: the log's reference on the session */
    kref_put_as(&session->kref, session_release, "log");
}

static void *work(void *unused)
{
    struct request *request;

    while ((request = queue_pop())) {
        answer(request);
        kref_put(&request->kref, request_release);
    }
    return unused;
}

static void *ask(void *requests)
{
    unsigned int i, seed = 1;

    for (i = 0; i < *(unsigned int *)requests; i++) {
        struct request *request = allocate(sizeof *request);

        seed = seed * 1103515245 + 12345;
        kref_init(&request->kref);
        request->session = session_get(seed / 65536 % SESSIONS);
        request->page = seed / 4096 % PAGES;
        queue_push(request); /* rule 1: our reference goes with it */
        if (i % 100 == 99)
            session_renew(seed / 65536 % SESSIONS);
    }
    return NULL;
}

static double seconds(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    unsigned int requests = argc > 1 ? atoi(argv[1]) : 1000;
    pthread_t clients[CLIENTS], workers[WORKERS];
    double begun;
    int i;

    leak = argc > 2 && strcmp(argv[2], "leak") == 0;
    for (i = 0; i < SESSIONS; i++)
        sessions[i] = session_new(i);
    for (i = 0; i < PAGES; i++)
        pages[i] = page_new(i);
    begun = seconds();
    for (i = 0; i < WORKERS; i++)
        if (pthread_create(&workers[i], NULL, work, NULL))
            abort();
    for (i = 0; i < CLIENTS; i++)
        if (pthread_create(&clients[i], NULL, ask, &requests))
            abort();
    for (i = 0; i < CLIENTS; i++)
        pthread_join(clients[i], NULL);
    pthread_mutex_lock(&queue_lock);
    closing = 1;
    pthread_cond_broadcast(&queue_filled);
    pthread_mutex_unlock(&queue_lock);
    for (i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    printf("%u requests, %.2f microseconds each\n", answered, (seconds() - begun) * 1e6 / answered);
    for (i = 0; i < SESSIONS; i++)
        kref_put(&sessions[i]->kref, session_release);
    for (i = 0; i < PAGES; i++)
        kref_put(&pages[i]->kref, page_release);
    return 0;
}
