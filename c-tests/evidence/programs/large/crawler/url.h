/* Addresses, the table that has each of them once, and the hosts that they are on. */
#ifndef URL_H
#define URL_H

#include <kref.h>
#include <pthread.h>

struct host {
    struct kref kref;
    int number, version, delay;
};

struct url {
    struct kref kref;
    int number, depth;
    struct host *host;
    struct url *referrer; /* or NULL */
    struct url *next;     /* in the table */
    int tries;
};

struct url *url_ref(struct url *url);
void url_unref(struct url *url);

/* Returns the address with a reference, and whether it was not in the table before. */
struct url *url_discover(int number, struct url *referrer, int *is_new);

/* Returns NULL if the table does not have it. */
struct url *url_find(int number);

/* Takes it out of the table. */
void url_forget(int number);
void urls_clear(void);

struct host *host_now(int number);
void host_unref(struct host *host);
void host_refresh(int number, int version);
void hosts_clear(void);

#endif
