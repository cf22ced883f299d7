/*
 * Each use of a pool's memory that is allowed. AddressSanitizer and memcheck, to which the pool announces what is
 * free, must report none of them.
 *
 * tools: static
 */
#define _GNU_SOURCE
#include "../harness/check.h"

#include <sys/mman.h>

/* The count is first, in the middle and last; the objects are smaller and larger than a granule of
 * AddressSanitizer, which has 8 bytes. */
struct small {
    struct kref kref;
};

struct middle {
    char before[5];
    struct kref kref;
    char after[7];
};

struct large {
    char *text;
    char room[200];
    struct kref kref;
};

static void small_cleanup(struct small *small)
{
    CHECK(kref_read(&small->kref) == 0);
}

static void middle_cleanup(struct middle *middle)
{
    CHECK(middle->before[4] == 4 && middle->after[6] == 6);
}

static void large_cleanup(struct large *large)
{
    free(large->text);
    large->text = NULL;
}

KREF_POOL_DEFINE(small, struct small, kref, small_cleanup);
KREF_POOL_DEFINE(middle, struct middle, kref, middle_cleanup);
KREF_POOL_DEFINE_WITH(large, struct large, kref, large_cleanup, KREF_POOL_CACHE_LINES, 0);

/* More than the first chunk has. */
#define NUMBER 400

/* What the release function left is there for the next object, and counts as initialised. */
static void an_object_is_as_it_was(void)
{
    struct middle *middle = middle_alloc();
    uint64_t handle;

    CHECK(middle);
    middle->before[4] = 4;
    middle->after[6] = 6;
    handle = middle_handle(middle);
    middle_publish(middle);
    middle_unref(middle);
    CHECK(!middle_by_handle(handle));

    middle = middle_alloc();
    CHECK(middle && middle->before[4] == 4 && middle->after[6] == 6);
    middle_discard(middle);
    CHECK(!middle_by_handle(handle));
}

static void neighbours_are_free_and_in_use(void)
{
    static struct small *small[NUMBER];
    static struct middle *middle[NUMBER];
    unsigned int cursor = 0;
    struct small *next;
    int i, found = 0;

    for (i = 0; i < NUMBER; i++) {
        CHECK((small[i] = small_alloc()) && (middle[i] = middle_alloc()));
        middle[i]->before[4] = 4;
        middle[i]->after[6] = 6;
        small_publish(small[i]);
        middle_publish(middle[i]);
    }
    for (i = 0; i < NUMBER; i += 2) {
        small_unref(small[i]);
        middle_unref(middle[i]);
    }
    for (i = 1; i < NUMBER; i += 2) {
        memset(middle[i]->before, 4, sizeof middle[i]->before);
        memset(middle[i]->after, 6, sizeof middle[i]->after);
    }
    for (; (next = small_next(&cursor)); found++)
        small_unref(next);
    CHECK(found == NUMBER / 2 && kref_pool_count(&small_pool) == NUMBER / 2);
    for (i = 1; i < NUMBER; i += 2) {
        small_unref(small[i]);
        middle_unref(middle[i]);
    }
}

/* The pool's memory goes back while all of it is free. The program gets the same addresses for another purpose. */
static void the_addresses_are_used_again(void)
{
    struct large *large = large_alloc();
    char *page = (char *)((uintptr_t)large & ~(uintptr_t)4095), *again;

    CHECK(large);
    large_publish(large);
    large_unref(large);
    CHECK(kref_pool_destroy(&large_pool) == 0);
    again = mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(again == page);
    memset(again, 1, 4096);
    CHECK(again[4095] == 1);
    CHECK(munmap(again, 4096) == 0);
}

/* The only pointer to the text is in an object of the pool, which lives to the end of the program. No leak. */
static void an_object_keeps_what_it_points_to(void)
{
    struct large *large = large_alloc();

    CHECK(large && (large->text = strdup("kept")));
    large_publish(large);
}

int main(void)
{
    an_object_is_as_it_was();
    neighbours_are_free_and_in_use();
    the_addresses_are_used_again();
    an_object_keeps_what_it_points_to();
    return 0;
}
