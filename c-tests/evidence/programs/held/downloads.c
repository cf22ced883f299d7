/*
 * Downloads in a table without references: the last put takes the table's lock. Threads fetch the
 * parts, each with a reference by kref_thread_create(); views name themselves as holders.
 */
#include <kref.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { PLACES = 8, URLS = 20, PARTS = 2, REQUESTS = 60, VIEWS = 3 };

struct download {
    struct kref kref;
    int url, started;
    pthread_t threads[PARTS];
    pthread_mutex_t lock;
    long bytes;
    struct download *next;
};

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct download *table[PLACES], *views[VIEWS], *open[4];
static int found, fetched;
static long total;

static struct kref *find(void *key)
{
    int url = *(const int *)key;
    struct download *download = table[url % PLACES];

    while (download && download->url != url)
        download = download->next;
    return download ? &download->kref : NULL;
}

/* Called with the table's lock held. */
static void download_release(struct kref *kref)
{
    struct download *download = kref_entry(kref, struct download, kref), **place;

    for (place = &table[download->url % PLACES]; *place != download; place = &(*place)->next)
        ;
    *place = download->next;
    pthread_mutex_unlock(&table_lock);
    total += download->bytes;
    pthread_mutex_destroy(&download->lock);
    free(download);
}

static void download_put(struct download *download)
{
    kref_put_mutex(&download->kref, download_release, &table_lock);
}

/* kref_put_as() takes no lock: the release function unlocks it, if this was the last reference. */
static void view_close(struct download *download)
{
    pthread_mutex_lock(&table_lock);
    if (!kref_put_as(&download->kref, download_release, "view"))
        pthread_mutex_unlock(&table_lock);
}

static void *fetch(void *arg)
{
    struct download *download = arg;
    int i;

    for (i = 0; i < 10; i++) {
        pthread_mutex_lock(&download->lock);
        download->bytes += 100 + download->url;
        pthread_mutex_unlock(&download->lock);
    }
    download_put(download); /* put: thread */
    return NULL;
}

static int begin(struct download *d, pthread_t *thread)
{
    return kref_thread_create(thread, NULL, fetch, d, &d->kref, download_release); /* get: thread */
}

/* Returns the download of this URL, with a reference for the caller. */
static struct download *download_open(int url)
{
    struct kref *kref = kref_lookup_mutex(&table_lock, find, &url); /* get: opener */
    struct download *download;

    if (kref) {
        found++;
        return kref_entry(kref, struct download, kref);
    }
    download = calloc(1, sizeof *download);
    if (!download)
        abort();
    kref_init(&download->kref); /* get: opener */
    pthread_mutex_init(&download->lock, NULL);
    download->url = url;
    pthread_mutex_lock(&table_lock);
    download->next = table[url % PLACES];
    table[url % PLACES] = download;
    pthread_mutex_unlock(&table_lock);
    return download;
}

static void start(struct download *download)
{
    int i;

    if (download->started)
        return;
    download->started = 1;
    for (i = 0; i < PARTS; i++)
        if (begin(download, &download->threads[i]))
            abort();
    for (i = 0; i < PARTS; i++)
        pthread_join(download->threads[i], NULL);
    fetched++;
}

static void view(int place, struct download *download)
{
    if (views[place])
        view_close(views[place]); /* put: view */
    views[place] = download;
    kref_get_as(&download->kref, "view"); /* get: view */
}

static void request(int number)
{
    struct download **place = &open[number % 4], *download = download_open(number * 7 % URLS / 3);

    start(download);
    if (*place)
        download_put(*place); /* put: opener */
    *place = download;
    if (number % 3 == 0)
        view(number / 3 % VIEWS, download);
}

int main(void)
{
    int i;

    for (i = 0; i < REQUESTS; i++)
        request(i);
    for (i = 0; i < VIEWS; i++)
        view_close(views[i]); /* put: view */
    for (i = 0; i < 4; i++)
        download_put(open[i]); /* put: opener */
    printf("%d fetched, %d found, %ld bytes\n", fetched, found, total);
    return 0;
}
