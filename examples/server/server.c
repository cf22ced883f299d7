/*
 * server.c - a server with sessions, a cache, a queue and a configuration that can be replaced.
 *
 *   cc -O2 -g server.c $(pkg-config --cflags --libs kref) -o server && ./server 100000
 *
 * Clients log in, ask for pages, and log out. Requests wait in a queue for a worker. A session lives as
 * long as a connection or a request uses the session. A page stays in the cache until another page needs
 * the place. A reload replaces the configuration while workers use the old one (pages.h). There is no
 * network: clients.h plays the clients. Comments name the rule that a get, a put or a lookup keeps.
 *
 *   ./server [--leak N] [REQUESTS [SEED]]
 *
 * --leak forgets one put in every N requests, when the answer is 404. No leak checker finds the leak,
 * since the table still points to the sessions. `kref-track ./server --leak 1000` reports the leak.
 */
#include <kref.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pages.h"

enum { WORKERS = 4, PLACES = 16 };

struct session {
    struct kref kref;
    int user;
    atomic_uint requests;
    struct session *next; /* in the table */
};

struct request {
    struct kref kref; /* the client's reference, and the queue's */
    struct session **connected; /* the client's; the worker uses the pointer */
    struct request *next;       /* queue.lock protects next and done */
    int done;
    char text[64], reply[128];
};

/* The table holds no references: session_release() removes the session from the table. */
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct session *table[PLACES];

static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled, answered;
    struct request *first, **last;
    int closed;
} queue = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL,
            &queue.first, 0 };

static atomic_ulong served, opened, closed, forgotten;
static unsigned long leak;

/* Sessions: in a table, which the lock protects. */

static struct session **session_place(int user)
{
    struct session **place = &table[user % PLACES];

    while (*place && (*place)->user != user)
        place = &(*place)->next;
    return place;
}

static struct kref *session_find(void *key)
{
    struct session *session = *session_place(*(const int *)key);

    return session ? &session->kref : NULL;
}

/* Rule 3: the last put needs the same lock, so no last put comes between the lookup and the get. */
static struct session *session_get(int user)
{
    struct kref *kref = kref_lookup_mutex(&table_lock, session_find, &user);

    return kref_entry(kref, struct session, kref);
}

/* kref_put_mutex() calls this function with the lock held. This function unlocks it. */
static void session_release(struct kref *kref)
{
    struct session *session = kref_entry(kref, struct session, kref);

    *session_place(session->user) = session->next;
    pthread_mutex_unlock(&table_lock);
    atomic_fetch_add(&closed, 1);
    free(session);
}

static void session_put(struct session *session)
{
    kref_put_mutex(&session->kref, session_release, &table_lock);
}

/* Returns the user's session, with a reference. Makes the session if the user has none. */
static struct session *session_open(int user)
{
    struct session **place, *session;

    pthread_mutex_lock(&table_lock);
    place = session_place(user);
    session = *place;
    if (session) {
        kref_get(&session->kref); /* rule 3: the last put needs this lock */
    } else {
        session = *place = allocate(sizeof *session);
        kref_init(&session->kref);
        session->user = user;
        session->next = NULL;
        atomic_init(&session->requests, 0);
        atomic_fetch_add(&opened, 1);
    }
    pthread_mutex_unlock(&table_lock);
    return session;
}

/* Requests. */

static void request_release(struct kref *kref)
{
    free(kref_entry(kref, struct request, kref));
}

static void answer(struct request *request, int status, const char *text)
{
    snprintf(request->reply, sizeof request->reply, "%d %s", status, text);
}

/* For --leak: whether this request must forget its put. */
static int forgets(void)
{
    if (!leak || atomic_load(&forgotten) >= atomic_load(&served) / leak)
        return 0;
    atomic_fetch_add(&forgotten, 1);
    return 1;
}

static void show(struct request *request, int user, const char *path, const struct config *config)
{
    struct session *session = session_get(user);
    unsigned number;
    struct page *page;

    if (!session) {
        answer(request, 401, "log in first");
        return;
    }
    number = atomic_fetch_add(&session->requests, 1) + 1;
    if (strncmp(path, "/page/", 6)) {
        answer(request, 404, path);
        if (forgets())
            return; /* the bug of --leak: this return breaks rule 2 */
        session_put(session);
        return;
    }
    page = page_get(path, config);
    snprintf(request->reply, sizeof request->reply, "200 %s user=%d request=%u length=%zu etag=%016llx",
             page->path, user, number, page->length, hash(page->body, page->length));
    page_put(page);       /* rule 2 */
    session_put(session); /* rule 2 */
}

static void serve(struct request *request)
{
    struct session **connected = request->connected;
    struct config *config = config_get(); /* one configuration for the whole request */
    char what[8], path[32];
    int user;

    if (sscanf(request->text, "%7s %d %31s", what, &user, path) != 3) {
        answer(request, 400, "what?");
    } else if (!strcmp(what, "GET")) {
        show(request, user, path, config);
    } else if (!strcmp(what, "LOGIN") && !*connected) {
        *connected = session_open(user); /* the connection keeps the reference */
        answer(request, 200, "welcome");
    } else if (!strcmp(what, "LOGOUT") && *connected) {
        session_put(*connected); /* rule 2: the connection's reference */
        *connected = NULL;
        answer(request, 200, "bye");
    } else if (!strcmp(what, "RELOAD")) {
        config_load(config->generation + 1);
        answer(request, 200, "reloaded");
    } else {
        answer(request, 400, what);
    }
    config_put(config); /* rule 2 */
}

/* The queue: the worker that dequeues a request takes over the queue's reference. */

static void enqueue(struct request *request)
{
    kref_get_as(&request->kref, "queue"); /* rule 1: before a worker finds the request */
    pthread_mutex_lock(&queue.lock);
    *queue.last = request;
    queue.last = &request->next;
    pthread_cond_signal(&queue.filled);
    pthread_mutex_unlock(&queue.lock);
}

static struct request *dequeue(void)
{
    struct request *request;

    pthread_mutex_lock(&queue.lock);
    while (!queue.first && !queue.closed)
        pthread_cond_wait(&queue.filled, &queue.lock);
    request = queue.first;
    if (request && !(queue.first = request->next))
        queue.last = &queue.first;
    pthread_mutex_unlock(&queue.lock);
    return request;
}

static void *work(void *unused)
{
    struct request *request;

    (void)unused;
    while ((request = dequeue())) { /* the worker now owns the queue's reference */
        serve(request);
        atomic_fetch_add(&served, 1);
        pthread_mutex_lock(&queue.lock);
        request->done = 1;
        pthread_cond_signal(&queue.answered); /* only main() waits */
        pthread_mutex_unlock(&queue.lock);
        kref_put_as(&request->kref, request_release, "queue"); /* rule 2 */
    }
    return NULL;
}

#include "clients.h"

int main(int argc, char **argv)
{
    pthread_t workers[WORKERS];
    int i;

    if (argc > 2 && !strcmp(argv[1], "--leak")) {
        leak = strtoul(argv[2], NULL, 10);
        argc -= 2;
        argv += 2;
    }
    config_load(1);
    for (i = 0; i < WORKERS; i++)
        if (pthread_create(&workers[i], NULL, work, NULL))
            return 1;
    load(argc > 1 ? strtoul(argv[1], NULL, 10) : 10000, argc > 2 ? strtoul(argv[2], NULL, 10) : 1);
    pthread_mutex_lock(&queue.lock);
    queue.closed = 1;
    pthread_cond_broadcast(&queue.filled);
    pthread_mutex_unlock(&queue.lock);
    for (i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    take_down();
    printf("%lu requests; %lu sessions opened, %lu closed; %lu pages shown, %lu from the cache\n",
           served, opened, closed, shown, hits);
    return opened == closed ? 0 : 1;
}
