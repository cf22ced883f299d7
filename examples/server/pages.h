/*
 * pages.h - the configuration of server.c, and the pages that depend on the configuration. Slots publish
 * both. Each slot holds a reference on its object.
 */
enum { CACHE = 64 };

struct config {
    struct kref kref;
    int generation, lines; /* lines: how many a page has */
};

struct page {
    struct kref kref;
    int generation; /* of the configuration that the page depends on */
    char path[32], body[4096];
    size_t length;
};

static struct kref_slot current = KREF_SLOT_INIT;
static struct kref_slot cache[CACHE]; /* a slot filled with zeros is empty */
static atomic_ulong shown, hits;

static void *allocate(size_t size)
{
    void *memory = malloc(size);

    if (!memory)
        abort();
    return memory;
}

static unsigned long long hash(const char *text, size_t length)
{
    unsigned long long sum = 14695981039346656037ULL;

    while (length--)
        sum = (sum ^ (unsigned char)*text++) * 1099511628211ULL;
    return sum;
}

static void config_release(struct kref *kref)
{
    free(kref_entry(kref, struct config, kref));
}

/* Rule 3: one call looks up and gets, because a reload may put the configuration meanwhile. */
static struct config *config_get(void)
{
    return kref_entry(kref_slot_get(&current), struct config, kref);
}

static void config_put(struct config *config)
{
    kref_put(&config->kref, config_release);
}

static void config_load(int generation)
{
    struct config *config = allocate(sizeof *config);
    struct kref *old;

    kref_init(&config->kref); /* this reference becomes the slot's */
    config->generation = generation;
    config->lines = 20 + generation % 8;
    old = kref_slot_replace(&current, &config->kref);
    if (old) /* rule 2: the caller of replace owns the slot's reference */
        config_put(kref_entry(old, struct config, kref));
}

static void page_release(struct kref *kref)
{
    free(kref_entry(kref, struct page, kref));
}

static void page_put(struct page *page)
{
    kref_put(&page->kref, page_release);
}

static struct page *page_make(const char *path, const struct config *config)
{
    struct page *page = allocate(sizeof *page);
    unsigned long long sum = hash(path, strlen(path));
    int line;

    kref_init(&page->kref);
    page->generation = config->generation;
    snprintf(page->path, sizeof page->path, "%s", path);
    page->length = 0;
    for (line = 1; line <= config->lines; line++) {
        char *end = page->body + page->length;

        sum = sum * 6364136223846793005ULL + 1442695040888963407ULL;
        page->length += (size_t)snprintf(end, sizeof page->body - page->length,
                                         "<p>%s, line %d: %016llx</p>\n", path, line, sum);
    }
    return page;
}

static struct page *page_get(const char *path, const struct config *config)
{
    struct kref_slot *place = &cache[hash(path, strlen(path)) % CACHE];
    struct page *page = kref_entry(kref_slot_get(place), struct page, kref); /* rule 3 */
    struct kref *old;

    atomic_fetch_add(&shown, 1);
    if (page && page->generation == config->generation && !strcmp(page->path, path)) {
        atomic_fetch_add(&hits, 1);
        return page;
    }
    if (page)
        page_put(page); /* rule 2: the place has another page, or an old one */
    page = page_make(path, config);
    kref_get(&page->kref); /* rule 1: for the cache, before a thread finds the page */
    old = kref_slot_replace(place, &page->kref);
    if (old)
        page_put(kref_entry(old, struct page, kref)); /* rule 2: the cache's reference */
    return page;
}

/* Empties all slots. The workers have ended, so no lookup comes any more. */
static void take_down(void)
{
    int i;

    for (i = 0; i < CACHE; i++) {
        struct kref *page = kref_slot_replace(&cache[i], NULL);

        if (page) /* rule 2: the cache's reference */
            page_put(kref_entry(page, struct page, kref));
    }
    config_put(kref_entry(kref_slot_replace(&current, NULL), struct config, kref)); /* rule 2 */
}
