#include "buffers.h"

#include <stdlib.h>

enum { PLACES = 12 };

static struct page *cache[PLACES];

static void page_free(struct kref *kref)
{
    free(kref_entry(kref, struct page, kref));
}

struct page *page_new(int path, int length)
{
    struct page *page = malloc(sizeof *page);

    if (!page)
        abort();
    kref_init(&page->kref); /* get: fetched */
    page->path = path;
    page->length = length;
    page->age = 0;
    return page;
}

struct page *page_ref(struct page *page)
{
    kref_get(&page->kref);
    return page;
}

void page_unref(struct page *page)
{
    kref_put(&page->kref, page_free);
}

int output_add(struct output *output, struct page *page)
{
    if (output->count == QUEUE_PLACES)
        return -1;
    output->pages[(output->first + output->count++) % QUEUE_PLACES] = page;
    page_ref(page); /* get: output */
    return 0;
}

static void output_pop(struct output *output)
{
    struct page *page = output->pages[output->first];

    output->first = (output->first + 1) % QUEUE_PLACES;
    output->count--;
    output->sent = 0;
    page_unref(page); /* put: output */
}

void output_send(struct output *output, int most)
{
    while (output->count && most > 0) {
        struct page *page = output->pages[output->first];
        int left = page->length - output->sent;

        if (left > most) {
            output->sent += most;
            return;
        }
        most -= left;
        output_pop(output);
    }
}

void output_clear(struct output *output)
{
    while (output->count)
        output_pop(output);
}

struct page *cache_find(int path)
{
    struct page *page = cache[path % PLACES];

    if (!page || page->path != path)
        return NULL;
    page->age = 0;
    page_ref(page); /* get: found page */
    return page;
}

static void cache_drop(int place)
{
    struct page *page = cache[place];

    if (!page)
        return;
    cache[place] = NULL;
    page_unref(page); /* put: cache */
}

void cache_add(struct page *page)
{
    int place = page->path % PLACES;

    cache_drop(place);
    cache[place] = page;
    page_ref(page); /* get: cache */
}

void cache_age(int oldest)
{
    int i;

    for (i = 0; i < PLACES; i++)
        if (cache[i] && cache[i]->age++ >= oldest)
            cache_drop(i);
}

void cache_clear(void)
{
    int i;

    for (i = 0; i < PLACES; i++)
        cache_drop(i);
}
