#include "crawl.h"

#include <stdlib.h>

static void crawl_release(struct kref *kref)
{
    struct crawl *crawl = kref_entry(kref, struct crawl, kref);

    queue_destroy(&crawl->to_fetch);
    queue_destroy(&crawl->to_parse);
    pthread_cond_destroy(&crawl->idle);
    pthread_mutex_destroy(&crawl->lock);
    free(crawl);
}

void crawl_unref(struct crawl *crawl)
{
    kref_put(&crawl->kref, crawl_release);
}

static void count(struct crawl *crawl, int *counter)
{
    pthread_mutex_lock(&crawl->lock);
    ++*counter;
    pthread_mutex_unlock(&crawl->lock);
}

static void one_less(struct crawl *crawl)
{
    pthread_mutex_lock(&crawl->lock);
    if (--crawl->pending == 0)
        pthread_cond_broadcast(&crawl->idle);
    pthread_mutex_unlock(&crawl->lock);
}

static void enqueue(struct crawl *crawl, struct url *url)
{
    count(crawl, &crawl->pending);
    url_ref(url); /* get: to fetch */
    queue_push(&crawl->to_fetch, url);
}

void crawl_add(struct crawl *crawl, int number, struct url *referrer)
{
    int is_new;
    struct url *url = url_discover(number, referrer, &is_new);

    if (is_new)
        enqueue(crawl, url);
    url_unref(url); /* put: discovered */
}

/* Returns the document, or NULL if the host did not answer. */
static struct document *fetch(struct url *url)
{
    struct host *host = host_now(url->number); /* get: fetch's host */
    struct document *document = NULL;

    if ((url->number + url->tries * 2 + host->delay) % 7 != 3)
        document = document_new(url);
    host_unref(host); /* put: fetch's host */
    return document;
}

static void *fetcher(void *arg)
{
    struct crawl *crawl = arg;
    struct document *document;
    struct url *url;

    while ((url = queue_pop(&crawl->to_fetch))) {
        document = fetch(url);
        if (document) {
            count(crawl, &crawl->fetched);
            queue_push(&crawl->to_parse, document);
        } else if (url->tries++ == 0) {
            count(crawl, &crawl->retries);
            enqueue(crawl, url);
            one_less(crawl);
        } else {
            count(crawl, &crawl->failed);
            url_forget(url->number);
            one_less(crawl);
        }
        url_unref(url); /* put: to fetch */
    }
    crawl_unref(crawl); /* put: fetcher */
    return NULL;
}

static void follow(struct crawl *crawl, struct document *document)
{
    int i;

    for (i = 0; i < document->nlinks; i++) {
        struct url *known = url_find(document->links[i]); /* get: known */

        if (known) {
            url_unref(known); /* put: known */
            continue;
        }
        crawl_add(crawl, document->links[i], document->url);
    }
}

static void parse(struct crawl *crawl, struct document *document)
{
    if (seen_before(document)) {
        count(crawl, &crawl->duplicates);
        return;
    }
    index_add(document);
    follow(crawl, document);
    count(crawl, &crawl->parsed);
}

static void *parser(void *arg)
{
    struct crawl *crawl = arg;
    struct document *document;

    while ((document = queue_pop(&crawl->to_parse))) {
        parse(crawl, document);
        document_unref(document); /* put: crawl */
        one_less(crawl);
    }
    crawl_unref(crawl); /* put: parser */
    return NULL;
}

static int start(pthread_t *thread, void *(*body)(void *), struct crawl *crawl)
{
    return kref_thread_create(thread, NULL, body, crawl, &crawl->kref, crawl_release);
}

static void start_all(struct crawl *crawl)
{
    int i, error = 0;

    for (i = 0; i < FETCHERS; i++)
        error |= start(&crawl->threads[i], fetcher, crawl); /* get: fetcher */
    for (i = 0; i < PARSERS; i++)
        error |= start(&crawl->threads[FETCHERS + i], parser, crawl); /* get: parser */
    if (error)
        abort();
}

struct crawl *crawl_begin(void)
{
    struct crawl *crawl = calloc(1, sizeof *crawl);

    if (!crawl)
        abort();
    kref_init(&crawl->kref); /* get: beginner */
    queue_init(&crawl->to_fetch);
    queue_init(&crawl->to_parse);
    pthread_mutex_init(&crawl->lock, NULL);
    pthread_cond_init(&crawl->idle, NULL);
    start_all(crawl);
    return crawl;
}

void crawl_wait(struct crawl *crawl)
{
    pthread_mutex_lock(&crawl->lock);
    while (crawl->pending)
        pthread_cond_wait(&crawl->idle, &crawl->lock);
    pthread_mutex_unlock(&crawl->lock);
}

void crawl_end(struct crawl *crawl)
{
    int i;

    queue_close(&crawl->to_fetch);
    queue_close(&crawl->to_parse);
    for (i = 0; i < FETCHERS + PARSERS; i++)
        pthread_join(crawl->threads[i], NULL);
    crawl_unref(crawl); /* put: beginner */
}
