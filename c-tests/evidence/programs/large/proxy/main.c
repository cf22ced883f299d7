/*
 * A proxy with a cache, on one event loop. Clients ask for paths; what is not in the cache is
 * fetched from one of three servers, which may fail. There is no network: peers and servers are
 * played.
 */
#include <stdio.h>

#include "buffers.h"
#include "client.h"
#include "loop.h"
#include "upstream.h"

enum { TURNS = 300 };

static unsigned dice = 5;

static int roll(int below)
{
    dice = dice * 1103515245 + 12345;
    return (int)(dice / 65536 % (unsigned)below);
}

static int every_ten(void *unused)
{
    (void)unused;
    cache_age(2);
    return 1;
}

int main(void)
{
    struct loop loop = { NULL, 0, 0, 0, 0 };
    struct source *janitor = loop_add_timer(&loop, 10, 10, every_ten, NULL, NULL);
    int turn, i;

    upstreams_open();
    for (turn = 0; turn < TURNS; turn++) {
        for (i = 0; i < 2; i++)
            peer_plays(&loop, roll(CHANNELS - turn / 60), roll(12) ? roll(30) : -1);
        loop_turn(&loop);
    }
    clients_close();
    for (i = 0; i < 8; i++)
        loop_turn(&loop);
    loop_end(&loop);
    source_unref(janitor); /* put: source's owner */
    cache_clear();
    upstreams_close();
    printf("%d opened, %d closed, %d hits, %d misses, %d failed, %d idle, %d dispatched\n",
           counters.opened, counters.closed, counters.hits, counters.misses, counters.failed,
           counters.idle, loop.dispatched);
    return 0;
}
