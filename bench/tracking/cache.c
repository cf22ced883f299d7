/*
 * A cache, as a program that does little else than to look up, to use and to replace objects.
 *
 *   cache [LOOKUPS [THREADS]]
 *
 * Each lookup takes a lock, finds one of 4096 pages, gets it, and computes a checksum of the page's 1024 bytes. Each
 * hundredth lookup replaces the page.
 */
#include <kref.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES 4096
#define BYTES 1024

struct page {
    struct kref kref;
    uint32_t words[BYTES / 4];
};

static struct page *pages[PAGES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long lookups = 1000000;

static void page_free(struct kref *kref)
{
    free(kref_entry(kref, struct page, kref));
}

static struct page *page_new(uint32_t seed)
{
    struct page *page = malloc(sizeof(*page));

    if (!page)
        abort();
    kref_init(&page->kref);
    for (size_t i = 0; i < BYTES / 4; i++)
        page->words[i] = seed = seed * 1664525 + 1013904223;
    return page;
}

static struct page *page_lookup(size_t number)
{
    struct page *page;

    pthread_mutex_lock(&lock);
    page = pages[number];
    kref_get(&page->kref);
    pthread_mutex_unlock(&lock);
    return page;
}

static void page_replace(size_t number, uint32_t seed)
{
    struct page *page = page_new(seed), *old;

    pthread_mutex_lock(&lock);
    old = pages[number];
    pages[number] = page;
    pthread_mutex_unlock(&lock);
    kref_put(&old->kref, page_free);
}

static uint32_t checksum(const struct page *page)
{
    uint32_t a = 1, b = 0;

    for (size_t i = 0; i < BYTES / 4; i++) {
        a += page->words[i];
        b += a;
    }
    return b ^ a;
}

static void *use(void *sum)
{
    uint32_t seed = 1;

    for (unsigned long i = 0; i < lookups; i++) {
        struct page *page;

        seed = seed * 1664525 + 1013904223;
        page = page_lookup(seed >> 20);
        *(uint32_t *)sum += checksum(page);
        kref_put(&page->kref, page_free);
        if (i % 100 == 0)
            page_replace(seed >> 20, seed);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    unsigned long threads = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    pthread_t others[16];
    uint32_t sums[17] = {0};

    if (argc > 1)
        lookups = strtoul(argv[1], NULL, 10);
    if (threads < 1 || threads > 16)
        return 2;
    for (size_t i = 0; i < PAGES; i++)
        pages[i] = page_new((uint32_t)i);
    for (unsigned long i = 1; i < threads; i++)
        if (pthread_create(&others[i], NULL, use, &sums[i]))
            return 1;
    use(&sums[0]);
    for (unsigned long i = 1; i < threads; i++)
        pthread_join(others[i], NULL);
    for (size_t i = 0; i < PAGES; i++)
        kref_put(&pages[i]->kref, page_free);
    printf("%08x\n", (unsigned)sums[0]);
    return 0;
}
