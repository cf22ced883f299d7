/*
 * Versions of pages and transactions. A transaction reads from a snapshot, which holds the pages
 * that were current; writers publish a new version of a page; cursors pin the page that they
 * stand on.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { PAGES = 8, TRANSACTIONS = 60, OPEN = 4, ROWS = 10 };

struct page {
    struct kref kref;
    int number, version, rows[ROWS];
};

struct snapshot {
    struct kref kref;
    struct page *pages[PAGES];
};

struct cursor {
    struct page *page;
    int row;
};

static struct page *current[PAGES];
static struct snapshot *latest;
static int conflicts, commits, read_rows, pages_alive;

static void page_release(struct kref *kref)
{
    pages_alive--;
    free(kref_entry(kref, struct page, kref));
}

#define page_put(page) kref_put(&(page)->kref, page_release)
#define page_get(page) kref_get(&(page)->kref)

static void snapshot_release(struct kref *kref)
{
    struct snapshot *snapshot = kref_entry(kref, struct snapshot, kref);
    int i;

    for (i = 0; i < PAGES; i++)
        page_put(snapshot->pages[i]); /* put: snapshot's page */
    free(snapshot);
}

static struct page *page_new(int number, int version)
{
    struct page *page = calloc(1, sizeof *page);

    if (!page)
        abort();
    kref_init(&page->kref); /* get: current */
    page->number = number;
    page->version = version;
    pages_alive++;
    return page;
}

static struct snapshot *snapshot_take(void)
{
    int i;

    if (!latest) {
        latest = malloc(sizeof *latest);
        if (!latest)
            abort();
        kref_init(&latest->kref); /* get: latest */
        for (i = 0; i < PAGES; i++) {
            latest->pages[i] = current[i];
            page_get(current[i]); /* get: snapshot's page */
        }
    }
    kref_get(&latest->kref); /* get: transaction */
    return latest;
}

static void snapshot_outdated(void)
{
    if (!latest)
        return;
    kref_put(&latest->kref, snapshot_release); /* put: latest */
    latest = NULL;
}

static void commit(int number, int value)
{
    struct page *old = current[number], *page = page_new(number, old->version + 1);
    int i;

    for (i = 0; i < ROWS; i++)
        page->rows[i] = i == value % ROWS ? value : old->rows[i];
    current[number] = page;
    page_put(old); /* put: current */
    snapshot_outdated();
    commits++;
}

static void cursor_move(struct cursor *cursor, struct page *page)
{
    if (cursor->page == page)
        return;
    if (cursor->page)
        page_put(cursor->page); /* put: cursor */
    cursor->page = page;
    if (page)
        page_get(page); /* get: cursor */
}

static long scan(struct cursor *cursor, struct snapshot *snapshot)
{
    long sum = 0;
    int i;

    for (i = 0; i < PAGES; i += 3) {
        cursor_move(cursor, snapshot->pages[i]);
        for (cursor->row = 0; cursor->row < ROWS; cursor->row++, read_rows++)
            sum += cursor->page->rows[cursor->row];
    }
    return sum;
}

static void end(struct snapshot **snapshot)
{
    if (!*snapshot)
        return;
    kref_put(&(*snapshot)->kref, snapshot_release); /* put: transaction */
    *snapshot = NULL;
}

static void write_in(struct snapshot *snapshot, int number, int value)
{
    struct page *seen = snapshot->pages[number];

    if (seen != current[number])
        conflicts++;
    else
        commit(number, value);
}

int main(void)
{
    struct snapshot *open[OPEN] = { NULL };
    struct cursor cursors[OPEN] = { { NULL, 0 } };
    long sum = 0;
    int i;

    for (i = 0; i < PAGES; i++)
        current[i] = page_new(i, 0);
    for (i = 0; i < TRANSACTIONS; i++) {
        int slot = i % OPEN;

        end(&open[slot]);
        open[slot] = snapshot_take();
        sum += scan(&cursors[slot], open[slot]);
        if (i % 2 && i > OPEN)
            write_in(open[(i + 1) % OPEN], i * 3 % PAGES, i);
        if (i % 5 == 4)
            cursor_move(&cursors[slot], NULL);
    }
    for (i = 0; i < OPEN; i++) {
        cursor_move(&cursors[i], NULL);
        end(&open[i]);
    }
    snapshot_outdated();
    for (i = 0; i < PAGES; i++)
        page_put(current[i]); /* put: current */
    printf("%d commits, %d conflicts, %d rows, %ld\n", commits, conflicts, read_rows, sum);
    return pages_alive < 0;
}
