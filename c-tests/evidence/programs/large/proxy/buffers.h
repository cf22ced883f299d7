/* Pages that were fetched, and the queues in which they wait to be sent. */
#ifndef BUFFERS_H
#define BUFFERS_H

#include <kref.h>

enum { QUEUE_PLACES = 8 };

struct page {
    struct kref kref;
    int path, length, age;
};

struct output {
    struct page *pages[QUEUE_PLACES];
    int first, count, sent;
};

struct page *page_new(int path, int length);
struct page *page_ref(struct page *page);
void page_unref(struct page *page);

/* Returns 0, or -1 if the queue is full. The queue takes a reference of its own. */
int output_add(struct output *output, struct page *page);
/* Sends at most this many bytes. */
void output_send(struct output *output, int most);
void output_clear(struct output *output);

/* Returns the page with a reference for the caller, or NULL. */
struct page *cache_find(int path);
void cache_add(struct page *page);
void cache_age(int oldest);
void cache_clear(void);

#endif
