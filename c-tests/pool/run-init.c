/*
 * kref_pool_init(): a pool whose numbers are known at run time. It is the pool of KREF_POOL_INIT_WITH with the same
 * numbers, and numbers out of range are refused.
 *
 * tools: static
 */
#include "../harness/check.h"

#include <errno.h>

struct line {
    char text[72];
    struct kref kref;
};

static struct kref_pool pool;

static void line_release(struct kref *kref)
{
    kref_pool_free(&pool, kref);
}

static int init(size_t size, size_t align, size_t kref_at, unsigned int flags)
{
    return kref_pool_init(&pool, size, align, kref_at, line_release, flags, 3);
}

static void as_at_compile_time(unsigned int flags)
{
    struct kref_pool other = KREF_POOL_INIT_WITH(struct line, kref, line_release, flags, 3);

    memset(&pool, 0x55, sizeof pool);
    CHECK(init(sizeof(struct line), KREF_ALIGNOF(struct line), offsetof(struct line, kref), flags) == 0);
    memset(pool.apart, 0, sizeof pool.apart);
    memset(other.apart, 0, sizeof other.apart);
    CHECK(memcmp(&pool, &other, sizeof pool - sizeof pool.retired) == 0);
}

static void out_of_range(void)
{
    struct kref_pool before = pool;

    CHECK(init(75, 1, 72, 0) == -EINVAL); /* the kref is not inside */
    CHECK(init(SIZE_MAX, 1, 0, 0) == -EINVAL);
    CHECK(init(76, 4, SIZE_MAX, 0) == -EINVAL);
    CHECK(init(76, 4, 2, 0) == -EINVAL);  /* the kref is not aligned */
    CHECK(init(76, 0, 72, 0) == -EINVAL); /* no alignment */
    CHECK(init(76, 3, 72, 0) == -EINVAL);
    CHECK(init(76, 8, 72, 0) == -EINVAL); /* the next object would not be aligned */
    CHECK(init(8192, 8192, 0, 0) == -EINVAL);
    CHECK(init(76, 4, 72, 4) == -EINVAL); /* no such flag */
    CHECK(memcmp(&before, &pool, sizeof pool) == 0);
}

int main(void)
{
    struct line *line;
    uint64_t handle;

    as_at_compile_time(0);
    as_at_compile_time(KREF_POOL_ZEROED | KREF_POOL_CACHE_LINES);
    out_of_range();
    CHECK((line = (struct line *)kref_pool_alloc(&pool)) != NULL);
    kref_pool_publish(&pool, &line->kref);
    handle = kref_pool_handle(&pool, &line->kref);
    CHECK(kref_pool_get(&pool, handle) == &line->kref);
    kref_put(&line->kref, line_release);
    kref_put(&line->kref, line_release);
    CHECK(!kref_pool_get(&pool, handle));
    CHECK(kref_pool_destroy(&pool) == 0);
    return 0;
}
