#include <stdlib.h>

#include "host.h"

static struct service *services[MOST_SERVICES];

static void service_free(struct kref *kref)
{
    struct service *service = kref_entry(kref, struct service, kref);

    plugin_unref(service->provider); /* put: provider */
    free(service);
}

static struct service *service_ref(struct service *service)
{
    kref_get(&service->kref);
    return service;
}

void service_unref(struct service *service)
{
    kref_put(&service->kref, service_free);
}

static void withdraw(int name)
{
    struct service *service = services[name];

    services[name] = NULL;
    service_unref(service); /* put: registry */
}

void service_offer(struct plugin *provider, int name, int (*ask)(struct plugin *, int))
{
    struct service *service = calloc(1, sizeof *service);

    if (!service)
        abort();
    kref_init(&service->kref); /* get: registry */
    service->name = name;
    service->ask = ask;
    service->provider = plugin_ref(provider); /* get: provider */
    if (services[name])
        withdraw(name);
    services[name] = service;
}

void services_withdraw(struct plugin *provider)
{
    int name;

    for (name = 0; name < MOST_SERVICES; name++)
        if (services[name] && services[name]->provider == provider)
            withdraw(name);
}

/* Returns the service with a reference, or NULL. */
struct service *service_find(int name)
{
    struct service *service = services[name % MOST_SERVICES];

    return service ? service_ref(service) : NULL;
}

/* The provider may withdraw the service while it answers. */
int service_ask(struct service *service, int question)
{
    int answer = -1;

    service_ref(service); /* get: question */
    if (!service->provider->stopped)
        answer = service->ask(service->provider, question);
    service_unref(service); /* put: question */
    return answer;
}
