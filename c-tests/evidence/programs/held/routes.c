/*
 * A table of routes that is replaced as a whole, through a slot. A flow keeps the route on which
 * it began; a route holds its gateway; probes hold gateways.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { GATEWAYS = 4, ROUTES = 6, FLOWS = 20, PACKETS = 260, PROBES = 5 };

struct gateway {
    struct kref kref;
    int id, alive;
};

struct route {
    struct kref kref;
    int prefix;
    struct gateway *via;
};

struct table {
    struct kref kref;
    int version;
    struct route *routes[ROUTES];
};

static struct kref_slot current = KREF_SLOT_INIT;
static struct gateway *gateways[GATEWAYS], *probes[PROBES];
static struct route *flows[FLOWS];
static int forwarded, moved, probed;

static void gateway_free(struct gateway *gateway)
{
    free(gateway);
}

KREF_DEFINE(gateway, struct gateway, kref, gateway_free);

static void route_free(struct route *route)
{
    gateway_unref(route->via); /* put: route's gateway */
    free(route);
}

KREF_DEFINE(route, struct route, kref, route_free);

static void table_free(struct table *table)
{
    int i;

    for (i = 0; i < ROUTES; i++)
        route_unref(table->routes[i]); /* put: table */
    free(table);
}

KREF_DEFINE(table, struct table, kref, table_free);

static void *zalloc(size_t size)
{
    void *memory = calloc(1, size);

    return memory ? memory : (abort(), NULL);
}

static struct route *route_new(int prefix, struct gateway *via)
{
    struct route *route = zalloc(sizeof *route);

    route_ref_init(route); /* get: table */
    route->prefix = prefix;
    route->via = gateway_ref(via); /* get: route's gateway */
    return route;
}

static void publish(struct table *next)
{
    struct table *old = table_slot_replace(&current, next); /* get: slot */

    if (old)
        table_unref(old); /* put: slot */
}

static void reconfigure(int version)
{
    struct table *before = table_slot_get(&current); /* get: builder */
    struct table *table = zalloc(sizeof *table);
    int i;

    table_ref_init(table); /* get: slot */
    table->version = version;
    for (i = 0; i < ROUTES; i++)
        if (before && i != version % ROUTES)
            table->routes[i] = route_ref(before->routes[i]); /* get: table */
        else
            table->routes[i] = route_new(i, gateways[(i + version) % GATEWAYS]);
    publish(table);
    if (before)
        table_unref(before); /* put: builder */
}

static struct route *route_toward(int address)
{
    struct table *table = table_slot_get(&current); /* get: reader */
    struct route *route = table->routes[address % ROUTES];

    route_ref(route); /* get: lookup */
    table_unref(table); /* put: reader */
    return route;
}

static void forward(int address)
{
    struct route **flow = &flows[address % FLOWS], *route = route_toward(address);

    if (*flow != route) {
        struct route *old = *flow;

        moved++;
        *flow = route_ref(route); /* get: flow */
        if (old)
            route_unref(old); /* put: flow */
    }
    forwarded += route->via->alive;
    route_unref(route); /* put: lookup */
}

static void probe(int number)
{
    struct gateway **place = &probes[number % PROBES];

    if (*place) {
        (*place)->alive = 1;
        probed++;
        gateway_unref(*place); /* put: probe */
    }
    *place = gateway_ref(gateways[number % GATEWAYS]); /* get: probe */
}

int main(void)
{
    int i;

    for (i = 0; i < GATEWAYS; i++) {
        gateways[i] = zalloc(sizeof *gateways[i]);
        gateway_ref_init(gateways[i]); /* get: interface */
        gateways[i]->id = i;
    }
    for (i = 0; i < PACKETS; i++) {
        if (i % 13 == 0)
            reconfigure(i / 13);
        if (i % 6 == 3)
            probe(i / 6);
        forward(i * 7 + i / 9);
    }
    publish(NULL);
    for (i = 0; i < FLOWS; i++)
        if (flows[i])
            route_unref(flows[i]); /* put: flow */
    for (i = 0; i < PROBES; i++)
        gateway_unref(probes[i]); /* put: probe */
    for (i = 0; i < GATEWAYS; i++)
        gateway_unref(gateways[i]); /* put: interface */
    printf("%d forwarded, %d moved, %d probed\n", forwarded, moved, probed);
    return 0;
}
