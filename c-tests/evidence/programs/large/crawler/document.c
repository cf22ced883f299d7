#include "document.h"

#include <stdlib.h>

enum { SEEN = 10 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct document *best[WORDS], *seen[SEEN];
static unsigned next_seen;

static void document_release(struct kref *kref)
{
    struct document *document = kref_entry(kref, struct document, kref);

    url_unref(document->url); /* put: document's url */
    free(document);
}

struct document *document_ref(struct document *document)
{
    kref_get(&document->kref);
    return document;
}

void document_unref(struct document *document)
{
    kref_put(&document->kref, document_release);
}

/* The web is played: the links and the words follow from the number. */
struct document *document_new(struct url *url)
{
    struct document *document = calloc(1, sizeof *document);
    int i, n = url->number;

    if (!document)
        abort();
    kref_init(&document->kref); /* get: crawl */
    document->url = url_ref(url); /* get: document's url */
    document->nlinks = n % (LINKS + 1);
    for (i = 0; i < document->nlinks; i++)
        document->links[i] = (n * 2 + 1 + i * 17) % 150;
    for (i = 0; i < 3; i++)
        document->words[i] = (n * 5 + i * n) % WORDS;
    document->sum = (unsigned)(n % 37);
    return document;
}

void index_add(struct document *document)
{
    struct document *old;
    int i;

    for (i = 0; i < 3; i++) {
        struct document **place = &best[document->words[i]];

        pthread_mutex_lock(&lock);
        old = *place;
        if (old && old->url->number < document->url->number) {
            pthread_mutex_unlock(&lock);
            continue;
        }
        *place = document_ref(document); /* get: index */
        pthread_mutex_unlock(&lock);
        if (old)
            document_unref(old); /* put: index */
    }
}

struct document *index_search(int word)
{
    struct document *document;

    pthread_mutex_lock(&lock);
    document = best[word % WORDS];
    if (document)
        document_ref(document); /* get: search */
    pthread_mutex_unlock(&lock);
    return document;
}

void index_clear(void)
{
    int i;

    for (i = 0; i < WORDS; i++)
        if (best[i])
            document_unref(best[i]); /* put: index */
}

int seen_before(struct document *document)
{
    struct document *oldest;
    int i;

    pthread_mutex_lock(&lock);
    for (i = 0; i < SEEN; i++)
        if (seen[i] && seen[i]->sum == document->sum) {
            pthread_mutex_unlock(&lock);
            return 1;
        }
    oldest = seen[next_seen % SEEN];
    seen[next_seen++ % SEEN] = document_ref(document); /* get: seen */
    pthread_mutex_unlock(&lock);
    if (oldest)
        document_unref(oldest); /* put: seen */
    return 0;
}

void seen_clear(void)
{
    int i;

    for (i = 0; i < SEEN; i++)
        if (seen[i])
            document_unref(seen[i]); /* put: seen */
}
