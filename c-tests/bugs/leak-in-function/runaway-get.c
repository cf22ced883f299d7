/*
 * Each poll takes a reference, and only the close puts one. The count grows as long as the program
 * runs, and without saturation it would wrap around to zero. Seen in poll and interrupt handlers.
 *
 * found by: leak
 */
#include "check.h"

#define POLLS 1000

struct channel {
    char name[16];
    struct kref kref;
    int polls, polling;
};

static void channel_release(struct kref *kref)
{
    free(kref_entry(kref, struct channel, kref));
}

static void channel_poll(struct channel *channel)
{
#ifdef RIGHT
    if (!channel->polling)        /* FIX */
        kref_get(&channel->kref); /* FIX */
#else
    kref_get(&channel->kref); /* BLAME */
#endif
    channel->polling = 1;
    channel->polls++;
}

static void channel_close(struct channel *channel)
{
    if (channel->polling)
        kref_put(&channel->kref, channel_release);
}

int main(void)
{
    struct channel *channel = calloc(1, sizeof *channel);
    int i;

    CHECK(channel);
    kref_init(&channel->kref);
    for (i = 0; i < POLLS; i++)
        channel_poll(channel);
    CHECK(channel->polls == POLLS);
    channel_close(channel);
    kref_put(&channel->kref, channel_release);
    return 0;
}
