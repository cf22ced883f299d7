/*
 * server.c - a server with sessions, a cache, a queue and a configuration that changes while it runs.
 *
 *   cc -O2 -g server.c $(pkg-config --cflags --libs kref) -o server && ./server 100000
 *
 * Clients log in, ask for pages, and log out. Requests wait in a queue for one of the workers; a session
 * lives as long as a connection or a request uses it. Pages stay in the cache until another needs the
 * place, and a reload replaces the configuration under the workers' hands (pages.h). There is no
 * network: clients.h plays the clients. Each place that keeps one of the three rules says so.
 *
 *   ./server [--leak N] [REQUESTS [SEED]]
 *
 * --leak forgets one put in every N requests, on the way out of a 404. No leak checker sees it, since the
 * sessions are in their table. `kref-track ./server --leak 1000` says who forgot it.
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
    struct session **connected; /* of the client: used by whoever works on its request */
    struct request *next;       /* under queue.lock, as is done */
    int done;
    char text[64], reply[128];
};

/* This table holds no references: a session takes itself out when its last one is gone. */
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

/* Sessions: in a table, found under its lock. */

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

/* Rule 3: no last put can come between the look and the get, since it needs the same lock. */
static struct session *session_get(int user)
{
    struct kref *kref = kref_lookup_mutex(&table_lock, session_find, &user);

    return kref_entry(kref, struct session, kref);
}

/* Runs with the table's lock, which is its own to give back. */
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

/* The user's session, with a reference: the one that there is, or a new one. */
static struct session *session_open(int user)
{
    struct session **place, *session;

    pthread_mutex_lock(&table_lock);
    place = session_place(user);
    session = *place;
    if (session) {
        kref_get(&session->kref); /* rule 3: under the lock that the last put needs */
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

/* For --leak: whether it is time again to forget a put. */
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
            return; /* the mistake of --leak: an early way out, and rule 2 forgotten */
        session_put(session);
        return;
    }
    page = page_get(path, config);
    snprintf(request->reply, sizeof request->reply, "200 %s user=%d request=%u length=%zu etag=%016lx",
             page->path, user, number, page->length, hash(page->body, page->length));
    page_put(page);       /* rule 2 */
    session_put(session); /* rule 2 */
}

static void serve(struct request *request)
{
    struct session **connected = request->connected;
    struct config *config = config_get(); /* the same one for all of this request */
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
        session_put(*connected); /* rule 2: the connection's */
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

/* The queue: its reference goes to whoever takes the request out. */

static void enqueue(struct request *request)
{
    kref_get_as(&request->kref, "queue"); /* rule 1: before a worker can have it */
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
    while ((request = dequeue())) { /* and with it the queue's reference */
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
