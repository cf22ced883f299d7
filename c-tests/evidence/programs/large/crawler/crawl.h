/* The threads of a crawl. */
#ifndef CRAWL_H
#define CRAWL_H

#include "document.h"
#include "queue.h"

enum { FETCHERS = 2, PARSERS = 2 };

/* A crawl is held by its threads and by who began it. */
struct crawl {
    struct kref kref;
    struct queue to_fetch, to_parse;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    pthread_t threads[FETCHERS + PARSERS];
    int pending; /* addresses in a queue or in work */
    int fetched, failed, parsed, duplicates, retries;
};

struct crawl *crawl_begin(void);
void crawl_unref(struct crawl *crawl);
/* Asks for the address, if it is new. */
void crawl_add(struct crawl *crawl, int number, struct url *referrer);
void crawl_wait(struct crawl *crawl);
void crawl_end(struct crawl *crawl);

#endif
