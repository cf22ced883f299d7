/*
 * The handler is replaced while violations happen in other threads. Each report goes to a handler
 * together with the context of that handler.
 *
 * tools: tsan
 */
#include "check.h"

#define ROUNDS 5000

static int first_context, second_context, third_context;
static int times_told, done;

static void tell(const struct kref_violation *violation, int fits)
{
    CHECK(violation->kind == KREF_USE_OF_SATURATED);
    CHECK(fits);
    __atomic_fetch_add(&times_told, 1, __ATOMIC_RELAXED);
}

static void first(const struct kref_violation *violation, void *context)
{
    tell(violation, context == &first_context || context == &third_context);
}

static void second(const struct kref_violation *violation, void *context)
{
    tell(violation, context == &second_context);
}

static void *misuse(void *unused)
{
    struct kref kref = KREF_INIT(KREF_SATURATED);

    (void)unused;
    while (!__atomic_load_n(&done, __ATOMIC_RELAXED))
        kref_get(&kref);
    return NULL;
}

int main(void)
{
    pthread_t threads[2];
    int i;

    kref_set_violation_handler(first, &first_context);
    for (i = 0; i < 2; i++)
        start(&threads[i], misuse, NULL);
    for (i = 0; i < ROUNDS || !__atomic_load_n(&times_told, __ATOMIC_RELAXED); i++) {
        kref_set_violation_handler(second, &second_context);
        kref_set_violation_handler(first, &third_context);
    }
    __atomic_store_n(&done, 1, __ATOMIC_RELAXED);
    for (i = 0; i < 2; i++)
        join(threads[i]);
    return 0;
}
