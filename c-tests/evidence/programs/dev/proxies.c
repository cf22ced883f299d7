/*
 * Objects on a bus, and proxies that call them. A call is pending until its reply comes, its time is over, or the
 * proxy cancels it; then its callback gets the proxy. Objects may be unexported by their own methods.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATHS = 10, PROXIES = 12, SLOW = 6, TURNS = 2500, PATIENCE = 30 };
enum type { CALL, RETURN, ERROR };

typedef struct message {
    struct kref kref;
    struct message *next;
    enum type type;
    int path, serial, arg;
} message;

typedef struct proxy {
    struct kref kref;
    struct pending *calls;
    int path;
} proxy;

typedef struct object {
    struct kref kref;
    int value;
} object;

typedef struct pending {
    struct kref kref;
    struct pending *next, *next_of_proxy;
    int serial, deadline;
    message *reply;
    void (*notify)(struct pending *call, void *data);
    void *data;
    void (*free_data)(void *data);
} pending;

typedef struct invocation {
    object *object;
    message *call;
} invocation;

static message *first, **last = &first;
static pending *replies_awaited;
static object *exported[PATHS];
static proxy *proxies[PROXIES];
static invocation slow[SLOW];
static int now, serials, nslow, results, failures, cancelled;

static int rnd(int n)
{
    static unsigned int x = 5150;

    x = x * 1664525u + 1013904223u;
    return (x >> 11) % n;
}

KREF_DEFINE(message, message, kref, free);
KREF_DEFINE(proxy, proxy, kref, free);
KREF_DEFINE(object, object, kref, free);

static void pending_free(pending *call)
{
    if (call->reply)
        message_unref(call->reply); /* put: message */
    call->free_data(call->data); /* put: callback's data */
    free(call);
}

KREF_DEFINE(pending, pending, kref, pending_free);

static void bus_send(enum type type, int path, int serial, int arg)
{
    message *m = malloc(sizeof *m);

    *m = (message){ .type = type, .path = path, .serial = serial, .arg = arg };
    message_ref_init(m); /* get: message */
    *last = m;
    last = &m->next;
}

static void stop_waiting(pending *call)
{
    pending **at = &replies_awaited;

    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
}

static void remove_call(proxy *p, pending *call)
{
    pending **at = &p->calls;

    while (*at != call)
        at = &(*at)->next_of_proxy;
    *at = call->next_of_proxy;
    pending_unref(call); /* put: proxy's call */
}

static void proxy_free_data(void *data)
{
    proxy_unref(data);
}

static void on_reply(pending *call, void *data)
{
    if (call->reply && call->reply->type == RETURN)
        results++;
    else
        failures++;
    remove_call(data, call);
}

static void proxy_call(proxy *p, int arg)
{
    pending *call = calloc(1, sizeof *call);

    pending_ref_init(call); /* get: proxy's call */
    call->next_of_proxy = p->calls;
    p->calls = call;
    call->serial = ++serials;
    call->deadline = now + PATIENCE;
    call->notify = on_reply;
    call->data = proxy_ref(p); /* get: callback's data */
    call->free_data = proxy_free_data;
    call->next = replies_awaited;
    replies_awaited = pending_ref(call); /* get: awaited */
    bus_send(CALL, p->path, call->serial, arg);
}

static void proxy_cancel(proxy *p)
{
    while (p->calls) {
        pending *call = p->calls;

        cancelled++;
        stop_waiting(call);
        pending_unref(call); /* put: awaited */
        remove_call(p, call);
    }
}

static void call_is_over(pending *call, message *reply)
{
    call->reply = reply;
    stop_waiting(call);
    call->notify(call, call->data);
    pending_unref(call); /* put: awaited */
}

static void bus_check_deadlines(void)
{
    pending *call, *next;

    for (call = replies_awaited; call; call = next) {
        next = call->next;
        if (call->deadline <= now)
            call_is_over(call, NULL);
    }
}

static void unexport(int path)
{
    object *o = exported[path];

    exported[path] = NULL;
    object_unref(o); /* put: exported */
}

static void finish(invocation in)
{
    if (in.call->arg != 3)
        bus_send(RETURN, in.call->path, in.call->serial, in.object->value);
    object_unref(in.object); /* put: invocation */
    message_unref(in.call); /* put: message */
}

static void invoke(message *m)
{
    invocation in = { object_ref(exported[m->path]), m }; /* get: invocation */

    if (!in.object) {
        bus_send(ERROR, m->path, m->serial, 0);
        message_unref(m); /* put: message */
        return;
    }
    in.object->value += m->arg;
    if (m->arg == 1)
        unexport(m->path);
    if (m->arg == 0 && nslow < SLOW)
        slow[nslow++] = in;
    else
        finish(in);
}

static void deliver_reply(message *m)
{
    pending *call = replies_awaited;

    while (call && call->serial != m->serial)
        call = call->next;
    if (call)
        call_is_over(call, m);
    else
        message_unref(m); /* put: message */
}

static void bus_dispatch(void)
{
    message *m = first;

    if (!m)
        return;
    if (!(first = m->next))
        last = &first;
    (m->type == CALL ? invoke : deliver_reply)(m);
}

static void proxy_drop(proxy **p)
{
    if (rnd(2))
        proxy_cancel(*p);
    proxy_unref(*p); /* put: application */
    *p = NULL;
}

static void application(proxy **p, int path)
{
    if (!exported[path]) {
        exported[path] = calloc(1, sizeof(object));
        object_ref_init(exported[path]); /* get: exported */
    }
    if (!*p) {
        *p = calloc(1, sizeof **p);
        proxy_ref_init(*p); /* get: application */
        (*p)->path = path;
    } else if (rnd(12)) {
        proxy_call(*p, rnd(16));
    } else {
        proxy_drop(p);
    }
}

int main(void)
{
    int i;

    for (; now < TURNS; now++) {
        application(&proxies[rnd(PROXIES)], rnd(PATHS));
        bus_dispatch();
        if (rnd(20))
            bus_dispatch();
        bus_check_deadlines();
        if (nslow > 0 && rnd(6) == 0)
            finish(slow[--nslow]);
    }
    for (; first || replies_awaited || nslow > 0; now++) {
        bus_dispatch();
        bus_check_deadlines();
        if (nslow > 0)
            finish(slow[--nslow]);
    }
    for (i = 0; i < PROXIES; i++)
        if (proxies[i])
            proxy_drop(&proxies[i]);
    for (i = 0; i < PATHS; i++)
        if (exported[i])
            unexport(i);
    printf("%d results, %d failures, %d cancelled\n", results, failures, cancelled);
    return 0;
}
