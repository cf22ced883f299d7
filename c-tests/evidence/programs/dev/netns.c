/*
 * Network namespaces as in a kernel. A namespace has devices and a table of routes, and takes
 * both down with its last reference. A packet keeps its device and its route, a socket keeps its
 * namespace and the route that it used last.
 */
#include <errno.h>
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { NETS = 3, DEVS = 4, ROUTES = 8, SOCKS = 10, BACKLOG = 20, STEPS = 1500 };

struct net_device {
    struct kref refcnt;
    int mtu;
};

struct rtable {
    struct kref refcnt;
    struct net_device *dev;
    int obsolete;
};

struct net {
    struct kref ns;
    struct net_device *devs[DEVS];
    struct rtable *fib[ROUTES];
};

struct sk_buff {
    struct rtable *rt;
    struct net_device *dev;
    int len;
};

struct sock {
    struct net *net;
    struct rtable *dst_cache;
    int daddr;
};

static struct net *nets[NETS];
static struct sock socks[SOCKS];
static struct sk_buff backlog[BACKLOG];
static int qlen, errors;
static long received;

static unsigned int prandom(unsigned int below)
{
    static unsigned int state = 521288629;

    state = 36969 * (state & 65535) + (state >> 16);
    return state % below;
}

static void netdev_release(struct kref *ref)
{
    free(kref_entry(ref, struct net_device, refcnt));
}

static inline void dev_hold(struct net_device *dev)
{
    kref_get(&dev->refcnt);
}

static inline void dev_put(struct net_device *dev)
{
    kref_put(&dev->refcnt, netdev_release);
}

static void dst_destroy(struct kref *ref)
{
    struct rtable *rt = kref_entry(ref, struct rtable, refcnt);

    dev_put(rt->dev); /* put: nexthop */
    free(rt);
}

static inline void dst_release(struct rtable *rt)
{
    kref_put(&rt->refcnt, dst_destroy);
}

static void fib_flush(struct net *net, const struct net_device *dev)
{
    for (struct rtable **p = net->fib; p < net->fib + ROUTES; p++)
        if (*p && (*p)->dev == dev) {
            (*p)->obsolete = 1;
            dst_release(*p); /* put: fib */
            *p = NULL;
        }
}

static void unregister_netdevice(struct net *net, int i)
{
    fib_flush(net, net->devs[i]);
    dev_put(net->devs[i]); /* put: registered */
    net->devs[i] = NULL;
}

static void register_netdevice(struct net *net, int i)
{
    net->devs[i] = calloc(1, sizeof *net->devs[i]);
    kref_init(&net->devs[i]->refcnt); /* get: registered */
    net->devs[i]->mtu = 1500;
}

static void cleanup_net(struct kref *ref)
{
    struct net *net = kref_entry(ref, struct net, ns);

    for (int i = 0; i < DEVS; i++)
        if (net->devs[i])
            unregister_netdevice(net, i);
    free(net);
}

static struct net *copy_net_ns(void)
{
    struct net *net = calloc(1, sizeof *net);

    kref_init(&net->ns); /* get: task */
    return net;
}

static int fib_add(struct net *net, int dst, int oif)
{
    struct net_device *dev = net->devs[oif];

    if (!dev)
        return -ENODEV;
    dev_hold(dev); /* get: nexthop */
    if (net->fib[dst]) {
        dev_put(dev); /* put: nexthop */
        return -EEXIST;
    }
    net->fib[dst] = calloc(1, sizeof *net->fib[dst]);
    kref_init(&net->fib[dst]->refcnt); /* get: fib */
    net->fib[dst]->dev = dev;
    return 0;
}

static void sk_dst_reset(struct sock *sk)
{
    if (sk->dst_cache)
        dst_release(sk->dst_cache); /* put: dst cache */
    sk->dst_cache = NULL;
}

static struct rtable *ip_route_output(struct sock *sk)
{
    struct rtable *rt = sk->dst_cache;

    if (!rt || rt->obsolete) {
        sk_dst_reset(sk);
        rt = sk->net->fib[sk->daddr];
        if (!rt)
            return NULL;
        kref_get(&rt->refcnt); /* get: dst cache */
        sk->dst_cache = rt;
    }
    kref_get(&rt->refcnt); /* get: skb dst */
    return rt;
}

static int ip_queue_xmit(struct sock *sk, int len)
{
    struct rtable *rt = ip_route_output(sk);

    if (!rt)
        return -EHOSTUNREACH;
    if (len > rt->dev->mtu || qlen == BACKLOG) {
        dst_release(rt); /* put: skb dst */
        return -ENOBUFS;
    }
    dev_hold(rt->dev); /* get: skb dev */
    backlog[qlen++] = (struct sk_buff){ rt, rt->dev, len };
    return 0;
}

static int net_rx_action(int budget)
{
    while (qlen > 0 && budget-- > 0) {
        struct sk_buff *skb = &backlog[--qlen];

        received += skb->len;
        dst_release(skb->rt); /* put: skb dst */
        dev_put(skb->dev); /* put: skb dev */
    }
    return 0;
}

static void sk_close(struct sock *sk)
{
    if (!sk->net)
        return;
    sk_dst_reset(sk);
    kref_put(&sk->net->ns, cleanup_net); /* put: sock */
    sk->net = NULL;
}

static int step(struct net *net, struct sock *sk, int i)
{
    switch (prandom(12)) {
    case 0:
        sk_close(sk);
        kref_get(&net->ns); /* get: sock */
        sk->net = net;
        sk->daddr = prandom(ROUTES);
        return 0;
    case 1:
        (net->devs[i] ? unregister_netdevice : register_netdevice)(net, i);
        return 0;
    case 2:
    case 3:
        return fib_add(net, prandom(ROUTES), i);
    case 4:
        return net_rx_action(6);
    default:
        return sk->net ? ip_queue_xmit(sk, 40 + prandom(1500)) : -ENOTCONN;
    }
}

int main(void)
{
    int i;

    for (i = 0; i < NETS; i++)
        nets[i] = copy_net_ns();
    for (i = 0; i < STEPS; i++) {
        int task = prandom(NETS);

        errors += step(nets[task], &socks[prandom(SOCKS)], prandom(DEVS)) < 0;
        if (i % 90 == 89) {
            kref_put(&nets[task]->ns, cleanup_net); /* put: task */
            nets[task] = copy_net_ns();
        }
    }
    for (i = 0; i < SOCKS; i++)
        sk_close(&socks[i]);
    net_rx_action(BACKLOG);
    for (i = 0; i < NETS; i++)
        kref_put(&nets[i]->ns, cleanup_net); /* put: task */
    printf("%ld bytes received, %d errors\n", received, errors);
    return 0;
}
