#include "url.h"

#include <stdlib.h>

enum { PLACES = 32, HOSTS = 5 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct url *table[PLACES];
static struct kref_slot hosts[HOSTS];

static void host_release(struct kref *kref)
{
    free(kref_entry(kref, struct host, kref));
}

void host_unref(struct host *host)
{
    kref_put(&host->kref, host_release);
}

/* Returns the host as it is known now, with a reference. */
struct host *host_now(int number)
{
    return kref_entry(kref_slot_get(&hosts[number % HOSTS]), struct host, kref);
}

static void host_set(int number, struct kref *next)
{
    struct kref *old = kref_slot_replace(&hosts[number % HOSTS], next); /* get: hosts */

    if (old)
        kref_put(old, host_release); /* put: hosts */
}

void host_refresh(int number, int version)
{
    struct host *host = malloc(sizeof *host);

    if (!host)
        abort();
    kref_init(&host->kref); /* get: hosts */
    host->number = number % HOSTS;
    host->version = version;
    host->delay = version % 3;
    host_set(number, &host->kref);
}

void hosts_clear(void)
{
    int i;

    for (i = 0; i < HOSTS; i++)
        host_set(i, NULL);
}

static void url_release(struct kref *kref)
{
    struct url *url = kref_entry(kref, struct url, kref);

    host_unref(url->host); /* put: url's host */
    if (url->referrer)
        url_unref(url->referrer); /* put: referrer */
    free(url);
}

struct url *url_ref(struct url *url)
{
    kref_get(&url->kref);
    return url;
}

void url_unref(struct url *url)
{
    kref_put(&url->kref, url_release);
}

static struct url **place_of(int number)
{
    struct url **place = &table[number % PLACES];

    while (*place && (*place)->number != number)
        place = &(*place)->next;
    return place;
}

static struct url *url_new(int number, struct url *referrer)
{
    struct url *url = calloc(1, sizeof *url);

    if (!url)
        abort();
    kref_init(&url->kref); /* get: discovered */
    url->number = number;
    url->host = host_now(number); /* get: url's host */
    if (referrer) {
        url->depth = referrer->depth + 1;
        url->referrer = url_ref(referrer); /* get: referrer */
    }
    return url;
}

struct url *url_discover(int number, struct url *referrer, int *is_new)
{
    struct url **place, *url;

    pthread_mutex_lock(&lock);
    place = place_of(number);
    url = *place;
    *is_new = !url;
    if (url) {
        url_ref(url); /* get: discovered */
    } else {
        url = url_new(number, referrer);
        *place = url_ref(url); /* get: table */
    }
    pthread_mutex_unlock(&lock);
    return url;
}

struct url *url_find(int number)
{
    struct url *url;

    pthread_mutex_lock(&lock);
    url = *place_of(number);
    if (url)
        url_ref(url);
    pthread_mutex_unlock(&lock);
    return url;
}

static struct url *take_out(struct url **place)
{
    struct url *url = *place;

    if (url)
        *place = url->next;
    return url;
}

void url_forget(int number)
{
    struct url *url;

    pthread_mutex_lock(&lock);
    url = take_out(place_of(number));
    pthread_mutex_unlock(&lock);
    if (url)
        url_unref(url); /* put: table */
}

void urls_clear(void)
{
    struct url *url;
    int i;

    for (i = 0; i < PLACES; i++)
        while ((url = take_out(&table[i])))
            url_unref(url); /* put: table */
}
