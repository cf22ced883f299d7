/*
 * Threads create objects, look each other's objects up by fresh and by stale handles, and free them. No handle
 * ever finds another object: each object has its handle as its secret. Each object is written after its publish
 * by nobody, so that ThreadSanitizer finds a missing order.
 *
 * tools: tsan static
 */
#include "../harness/check.h"

#define THREADS 4
#ifndef ROUNDS
#define ROUNDS 20000
#endif
#define HANDLES 8

struct object {
    uint64_t secret;
    struct kref kref;
    uint64_t again;
};

static int created, cleaned;

static void object_cleanup(struct object *object)
{
    CHECK(object->secret == object->again);
    object->secret = 0;
    __atomic_fetch_add(&cleaned, 1, __ATOMIC_RELAXED);
}

KREF_POOL_DEFINE(object, struct object, kref, object_cleanup);

static uint64_t handles[HANDLES];

static void create(int at)
{
    struct object *object = object_alloc();
    uint64_t handle;

    CHECK(object);
    handle = object_handle(object);
    object->secret = object->again = handle;
    object_publish(object);
    __atomic_fetch_add(&created, 1, __ATOMIC_RELAXED);
    /* Relaxed: the handle alone orders nothing. */
    __atomic_store_n(&handles[at], handle, __ATOMIC_RELAXED);
    sched_yield();
    object_unref(object);
}

static void *work(void *seed)
{
    unsigned random = (unsigned)(uintptr_t)seed;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        uint64_t handle;
        struct object *object;

        random = random * 1103515245u + 12345u;
        if (random >> 16 & 1) {
            create((int)(random >> 20) % HANDLES);
            continue;
        }
        handle = __atomic_load_n(&handles[(random >> 20) % HANDLES], __ATOMIC_RELAXED);
        object = object_by_handle(handle);
        if (!object)
            continue;
        CHECK(object->secret == handle && object->again == handle);
        object_unref(object);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    uintptr_t i;

    for (i = 0; i < THREADS; i++)
        CHECK(!pthread_create(&threads[i], NULL, work, (void *)(i + 1)));
    for (i = 0; i < THREADS; i++)
        CHECK(!pthread_join(threads[i], NULL));
    kref_pool_drain(&object_pool);
    CHECK(created > 0 && created == cleaned);
    CHECK(kref_pool_destroy(&object_pool) == 0);
    return 0;
}
