/*
 * A crawler: two threads fetch, two parse, and main() begins crawls and searches the index. The
 * web is played: what a page has in it follows from its number.
 */
#include <stdio.h>

#include "crawl.h"

enum { CRAWLS = 6, SEEDS = 12 };

static int search(int word)
{
    struct document *document = index_search(word);
    int found;

    if (!document)
        return 0;
    found = document->url->number;
    document_unref(document); /* put: search */
    return found;
}

static int was_visited(int number)
{
    struct url *url = url_find(number); /* get: question */

    if (!url)
        return 0;
    url_unref(url); /* put: question */
    return 1;
}

int main(void)
{
    int round, i, hits = 0, visited = 0;

    for (i = 0; i < 5; i++)
        host_refresh(i, 0);
    for (round = 0; round < CRAWLS; round++) {
        struct crawl *crawl = crawl_begin();

        for (i = 0; i < SEEDS; i++)
            crawl_add(crawl, (round * 31 + i * 7) % 150, NULL);
        crawl_wait(crawl);
        for (i = 0; i < WORDS; i++)
            hits += search(i) > 0;
        for (i = 0; i < 150; i += 5)
            visited += was_visited(i);
        printf("%d asked for\n", crawl->fetched + crawl->failed);
        crawl_end(crawl);
        urls_clear();
        host_refresh(round, round + 1);
    }
    index_clear();
    seen_clear();
    hosts_clear();
    printf("%d hits, %d visited\n", hits, visited);
    return 0;
}
