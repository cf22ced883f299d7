/*
 * kref_init_n(), kref_put_many() and kref_is_unique(): several references at once, and the test for copy on
 * write.
 * tools: tsan
 */
#include "../harness/check.h"
#include <sched.h>

static int released;

static void release(struct kref *kref)
{
    (void)kref;
    released++;
}

static void at_once(void)
{
    struct kref kref;

    kref_init_n(&kref, 3);
    CHECK(kref_read(&kref) == 3);
    CHECK(!kref_put_many(&kref, 2, release) && released == 0);
    CHECK(kref_read(&kref) == 1 && kref_is_unique(&kref));
    CHECK(kref_put_many(&kref, 1, release) && released == 1);
    CHECK(kref_read(&kref) == 0 && !kref_is_unique(&kref));

    kref_init_n(&kref, 1);
    CHECK(kref_is_unique(&kref));
    kref_init_n(&kref, INT_MAX);
    CHECK(kref_read(&kref) == INT_MAX && !kref_is_unique(&kref));
    CHECK(kref_put_many(&kref, INT_MAX, release) && released == 2);
}

/* Misuse saturates, is reported once, and releases nothing. */
static void misuse(void)
{
    static struct told told;
    struct kref kref;
    int n;

    kref_set_violation_handler(remember, &told);
    for (n = -1; n <= 0; n++) {
        told.times = 0;
        kref_init_n(&kref, n);
        CHECK(told.times == 1 && told.last.kind == KREF_OVERFLOW && told.last.kref == &kref);
        CHECK(kref_read(&kref) == (unsigned int)KREF_SATURATED && !kref_is_unique(&kref));
    }
    released = told.times = 0;
    kref_init_n(&kref, 2);
    CHECK(!kref_put_many(&kref, 3, release) && released == 0);
    CHECK(told.times == 1 && told.last.kind == KREF_PUT_ON_ZERO);
    CHECK(kref_read(&kref) == (unsigned int)KREF_SATURATED);
    told.times = 0;
    kref_init_n(&kref, 2);
    CHECK(!kref_put_many(&kref, -1, release) && released == 0 && told.times == 1);
    kref_set_violation_handler(NULL, NULL);
}

struct buffer {
    struct kref kref;
    int bytes;
};

static void *reader(void *arg)
{
    struct buffer *buffer = (struct buffer *)arg;

    CHECK(buffer->bytes == 1);
    kref_put(&buffer->kref, release);
    return NULL;
}

/* The reader's accesses come before the write: ThreadSanitizer sees the acquire. */
static void copy_on_write(void)
{
    static struct buffer buffer = {KREF_INIT(2), 1};
    pthread_t thread;

    start(&thread, reader, &buffer);
    while (!kref_is_unique(&buffer.kref))
        sched_yield();
    buffer.bytes = 2;
    join(thread);
    CHECK(buffer.bytes == 2);
}

int main(void)
{
    at_once();
    misuse();
    copy_on_write();
    return 0;
}
