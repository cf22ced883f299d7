/*
 * Making objects and freeing them: pool_ by kref_pool, malloc_ by malloc() and kref_init().
 */
#include "../costs/loops.h"

#include <stdint.h>

struct object {
    struct kref kref;
    char body[52];
};

static void cleanup(struct object *object)
{
    (void)object;
}

KREF_POOL_DEFINE(object, struct object, kref, cleanup);

static inline struct kref *pool_make(void)
{
    struct object *object = object_alloc();

    if (!object)
        abort();
    object_publish(object);
    return &object->kref;
}

static void malloc_release(struct kref *kref)
{
    free(kref);
}

static inline struct kref *malloc_make(void)
{
    struct object *object = malloc(sizeof *object);

    if (!object)
        abort();
    kref_init(&object->kref);
    return &object->kref;
}

/* With constants as functions, the compiler makes direct calls. */
#define INLINE static inline __attribute__((always_inline))

INLINE void one_by_one(unsigned long n, struct kref *(*make)(void), void (*release)(struct kref *))
{
    for (; n; n--) {
        struct kref *kref = make();

        FORGET(kref);
        kref_put(kref, release);
    }
}

#define BATCH 64

INLINE void in_batches(unsigned long n, struct kref *(*make)(void), void (*release)(struct kref *))
{
    struct kref *made[BATCH];

    while (n) {
        unsigned long batch = n < BATCH ? n : BATCH, i;

        for (i = 0; i < batch; i++)
            made[i] = make();
        FORGET(n);
        for (i = 0; i < batch; i++)
            kref_put(made[i], release);
        n -= batch;
    }
}

/* A queue from the thread that makes to the thread that frees, for each two threads. */
static ALONE struct queue {
    ALONE unsigned long in;
    ALONE unsigned long out;
    ALONE struct kref *made[16 * BATCH];
} queues[512];

INLINE void makes(struct queue *queue, unsigned long n, struct kref *(*make)(void))
{
    unsigned long in = queue->in, end = in + n;

    while (in != end) {
        unsigned long begin = in;

        for (; in != end && in - begin < BATCH; in++) {
            while (in - __atomic_load_n(&queue->out, __ATOMIC_ACQUIRE) == 16 * BATCH)
                ;
            queue->made[in % (16 * BATCH)] = make();
        }
        __atomic_store_n(&queue->in, in, __ATOMIC_RELEASE);
    }
}

INLINE void frees(struct queue *queue, unsigned long n, void (*release)(struct kref *))
{
    unsigned long out = queue->out, end = out + n, in = out;

    while (out != end) {
        while (in == out)
            in = __atomic_load_n(&queue->in, __ATOMIC_ACQUIRE);
        for (; in != out && out != end; out++)
            kref_put(queue->made[out % (16 * BATCH)], release);
        __atomic_store_n(&queue->out, out, __ATOMIC_RELEASE);
    }
}

/* Threads 0, 2, .. make objects, which threads 1, 3, .. free. */
INLINE void hand_over(unsigned long n, unsigned long thread, struct kref *(*make)(void),
                      void (*release)(struct kref *))
{
    struct queue *queue = &queues[thread / 2 % 512];

    if (thread % 2 == 0)
        makes(queue, n, make);
    else
        frees(queue, n, release);
}

#define LOOPS(name, make, release)                                                                 \
    void name##_one_by_one(unsigned long n)                                                        \
    {                                                                                              \
        one_by_one(n, make, release);                                                              \
    }                                                                                              \
    void name##_in_batches(unsigned long n)                                                        \
    {                                                                                              \
        in_batches(n, make, release);                                                              \
    }                                                                                              \
    void name##_hand_over(unsigned long n, unsigned long thread)                                   \
    {                                                                                              \
        hand_over(n, thread, make, release);                                                       \
    }

LOOPS(pool, pool_make, object_kref_release)
LOOPS(malloc, malloc_make, malloc_release)
