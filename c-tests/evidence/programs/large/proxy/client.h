/* The proxy's clients. */
#ifndef CLIENT_H
#define CLIENT_H

#include "loop.h"

enum { CHANNELS = 12 };

struct counters {
    int opened, closed, hits, misses, failed, idle;
};

extern struct counters counters;

void client_accept(struct loop *loop, int channel);
/* What the peer does next on this channel: a path to ask for, or -1 to hang up. */
void peer_plays(struct loop *loop, int channel, int path);
void clients_close(void);

#endif
