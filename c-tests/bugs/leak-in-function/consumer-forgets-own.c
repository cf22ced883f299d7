/*
 * A function that takes over its argument also takes a reference of its own, for the time of a call. It
 * puts both, but for one object in ten only the one that it was given. Seen where a fault is seldom.
 * The objects that ended well show which put belongs to which get.
 *
 * found by: leak
 */
#include "check.h"

struct message {
    int bad;
    struct kref kref;
};

static void message_release(struct kref *kref)
{
    free(kref_entry(kref, struct message, kref));
}

static void __attribute__((noinline)) consume(struct message *message)
{
    kref_get(&message->kref); /* BLAME */
#ifdef RIGHT
    kref_put(&message->kref, message_release); /* FIX */
#else
    if (!message->bad)
        kref_put(&message->kref, message_release);
#endif
    kref_put(&message->kref, message_release);
}

static struct message *__attribute__((noinline)) produce(int number)
{
    struct message *message = calloc(1, sizeof *message);

    CHECK(message);
    kref_init(&message->kref);
    message->bad = number % 10 == 3;
    return message;
}

int main(void)
{
    for (int i = 0; i < 100; i++)
        consume(produce(i));
    return 0;
}
