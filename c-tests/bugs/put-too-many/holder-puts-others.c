/*
 * The cache evicts a page that it never held, because the page is marked as not cacheable. So the
 * cache puts the client's reference. Seen in caches and pools with exceptions.
 *
 * found by: holder
 * holder: cache
 */
#include "check.h"

struct page {
    char url[32];
    struct kref kref;
    int cached;
};

static void page_release(struct kref *kref)
{
    free(kref_entry(kref, struct page, kref));
}

static void cache_add(struct page *page, int cacheable)
{
    if (cacheable)
        kref_get_as(&page->kref, "cache");
    page->cached = cacheable;
}

static void cache_evict(struct page *page)
{
#ifdef RIGHT
    if (page->cached)                                    /* FIX */
        kref_put_as(&page->kref, page_release, "cache"); /* FIX */
#else
    kref_put_as(&page->kref, page_release, "cache"); /* BLAME */
#endif
}

int main(void)
{
    struct page *page = calloc(1, sizeof *page);

    CHECK(page);
    kref_init(&page->kref);
    kref_get_as(&page->kref, "client");
    cache_add(page, 0);
    cache_evict(page);
    kref_put_as(&page->kref, page_release, "client");
    kref_put(&page->kref, page_release);
    return 0;
}
