/*
 * A child socket is made by copying the listener, and with it the pointer to the counted options. Their
 * reference does not come with the copy. Seen in clone functions that were written before a member was
 * counted. The missing get is no call, so the report names the two puts of the one reference.
 *
 * found by: put-after-release
 */
#include "check.h"

struct options {
    int ttl;
    struct kref kref;
};

struct sock {
    int port;
    struct options *options;
};

static void options_release(struct kref *kref)
{
    free(kref_entry(kref, struct options, kref));
}

static struct sock *sock_listen(int port)
{
    struct sock *sock = calloc(1, sizeof *sock);

    CHECK(sock);
    sock->port = port;
    sock->options = calloc(1, sizeof *sock->options);
    CHECK(sock->options);
    kref_init(&sock->options->kref);
    return sock;
}

static struct sock *sock_accept(const struct sock *listener)
{
    struct sock *child = malloc(sizeof *child);

    CHECK(child);
    *child = *listener;
#ifdef RIGHT
    kref_get(&child->options->kref); /* FIX */
#endif
    return child;
}

static void sock_close(struct sock *sock)
{
    kref_put(&sock->options->kref, options_release); /* BLAME */
    free(sock);
}

int main(void)
{
    struct sock *listener = sock_listen(80);
    struct sock *one = sock_accept(listener);
    struct sock *two = sock_accept(listener);

    sock_close(one);
    sock_close(two);
    sock_close(listener);
    return 0;
}
