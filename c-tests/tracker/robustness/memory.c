/*
 * Objects of many sizes, with their count at different places, are freed and moved by threads; memory without a count
 * looks as if it had one. Their contents stay as they are, and nothing is wrong.
 */
#include "../object.h"

#define THREADS 3
#define ROUNDS 3000
#define LARGEST 40000

/* Memory that begins with a header, has a kref at `at`, and is filled with `fill`. */
struct box {
    size_t size, at;
    unsigned char *bytes;
};

static struct kref *kref_of(const struct box *box)
{
    return (struct kref *)(void *)(box->bytes + box->at);
}

static void box_release(struct kref *kref)
{
    (void)kref; /* box_end() frees the memory */
}

static void fill(const struct box *box, size_t from)
{
    /* 0x20202020 is a count with references, as kref-track counts. */
    memset(box->bytes + from, from % 3 ? ' ' : 0x7f, box->size - from);
}

static void box_begin(struct box *box, unsigned int *seed)
{
    box->size = 64 + (size_t)rand_r(seed) % (rand_r(seed) % 8 ? 200 : LARGEST);
    box->at = ((size_t)rand_r(seed) % (box->size - 32)) & ~(size_t)3;
    box->bytes = malloc(box->size);
    CHECK(box->bytes);
    fill(box, 0);
    kref_init(kref_of(box));
}

static void box_end(struct box *box, unsigned int *seed)
{
    int is_last, is_shared = rand_r(seed) % 2;

    if (is_shared)
        kref_get(kref_of(box));
    CHECK(box->bytes[box->at + 4] == box->bytes[box->size - 1] || box->size - box->at < 64);
    is_last = kref_put(kref_of(box), box_release);
    CHECK(is_last != is_shared);
    if (is_shared)
        CHECK(kref_put(kref_of(box), box_release));
    free(box->bytes);
}

static void box_move(struct box *box, unsigned int *seed)
{
    size_t before = box->size;

    box->size += (size_t)rand_r(seed) % 5000;
    if (rand_r(seed) % 2)
        box->bytes = realloc(box->bytes, box->size);
    else
        box->bytes = reallocarray(box->bytes, 1, box->size);
    CHECK(box->bytes && kref_is_unique(kref_of(box)));
    memset(box->bytes + before, box->bytes[before - 1], box->size - before);
}

static void *work(void *arg)
{
    unsigned int seed = (unsigned int)(size_t)arg + 1;
    struct box boxes[16];
    size_t i;

    for (i = 0; i < 16; i++)
        box_begin(&boxes[i], &seed);
    for (int round = 0; round < ROUNDS; round++) {
        struct box *box = &boxes[rand_r(&seed) % 16];
        void *other = malloc((size_t)rand_r(&seed) % 300);

        if (rand_r(&seed) % 3 && box->size < LARGEST) {
            box_move(box, &seed);
        } else {
            box_end(box, &seed);
            box_begin(box, &seed);
        }
        free(other);
    }
    for (i = 0; i < 16; i++)
        box_end(&boxes[i], &seed);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    size_t i;

    CHECK(!reallocarray(NULL, (size_t)-1, 16));
    for (i = 0; i < THREADS; i++)
        start(&threads[i], work, (void *)i);
    for (i = 0; i < THREADS; i++)
        join(threads[i]);
    return 0;
}
