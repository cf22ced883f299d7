/*
 * A store of documents. Each commit makes a new snapshot, which shares the versions that have not changed; cursors and
 * transactions read the snapshot that they began with. A thread makes an index of some snapshots.
 */
#include <kref.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define KEYS 20
#define CURSORS 5
#define FETCHED 8

typedef struct Document {
    struct kref refcount;
    struct Document *previous; /* the version before this one */
    int key, version, value;
} Document;

typedef struct Snapshot {
    struct kref refcount;
    int serial;
    Document *documents[KEYS];
} Snapshot;

typedef struct Cursor {
    Snapshot *snapshot;
    Document *current;
    int position;
} Cursor;

typedef struct Transaction {
    Snapshot *base;
    Document *writes[KEYS];
} Transaction;

static Snapshot *head;
static Cursor cursors[CURSORS];
static Document *fetched[FETCHED];
static int conflicts, reads;

static pthread_mutex_t index_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t index_changed = PTHREAD_COND_INITIALIZER;
static Snapshot *index_next;
static int index_stop;
static long indexed;

static int Random(int below)
{
    static unsigned int x = 362436069;

    x = x * 69069 + 12345;
    return (int)((x >> 12) % (unsigned int)below);
}

static void Document_dealloc(struct kref *refcount)
{
    Document *document = kref_entry(refcount, Document, refcount);

    if (document->previous)
        kref_put(&document->previous->refcount, Document_dealloc); /* put: previous version */
    free(document);
}

static Document *Document_retain(Document *document)
{
    kref_get(&document->refcount);
    return document;
}

static void Document_release(Document *document)
{
    kref_put(&document->refcount, Document_dealloc);
}

static void Snapshot_dealloc(struct kref *refcount)
{
    Snapshot *snapshot = kref_entry(refcount, Snapshot, refcount);
    int key;

    for (key = 0; key < KEYS; key++)
        if (snapshot->documents[key])
            Document_release(snapshot->documents[key]); /* put: in snapshot */
    free(snapshot);
}

static Snapshot *Snapshot_retain(Snapshot *snapshot)
{
    kref_get(&snapshot->refcount);
    return snapshot;
}

static void Snapshot_release(Snapshot *snapshot)
{
    kref_put(&snapshot->refcount, Snapshot_dealloc);
}

/* A snapshot with the documents of a transaction, and those of its base where it has none. */
static Snapshot *Snapshot_create(Snapshot *base, Document **writes)
{
    Snapshot *snapshot = calloc(1, sizeof *snapshot);
    int key;

    if (!snapshot)
        abort();
    kref_init(&snapshot->refcount); /* get: head */
    snapshot->serial = base ? base->serial + 1 : 0;
    for (key = 0; key < KEYS; key++) {
        Document *document = writes[key] ? writes[key] : base ? base->documents[key] : NULL;

        if (document)
            snapshot->documents[key] = Document_retain(document); /* get: in snapshot */
    }
    return snapshot;
}

static void *Index_run(void *unused)
{
    Snapshot *snapshot;
    int key;

    for (;;) {
        pthread_mutex_lock(&index_lock);
        while (!index_next && !index_stop)
            pthread_cond_wait(&index_changed, &index_lock);
        snapshot = index_next;
        index_next = NULL;
        pthread_cond_signal(&index_changed);
        pthread_mutex_unlock(&index_lock);
        if (!snapshot)
            return unused;
        for (key = 0; key < KEYS; key++)
            indexed += snapshot->documents[key] ? snapshot->documents[key]->value : 0;
        Snapshot_release(snapshot); /* put: index */
    }
}

static void Index_request(Snapshot *snapshot)
{
    pthread_mutex_lock(&index_lock);
    while (index_next)
        pthread_cond_wait(&index_changed, &index_lock);
    index_next = Snapshot_retain(snapshot); /* get: index */
    pthread_cond_signal(&index_changed);
    pthread_mutex_unlock(&index_lock);
}

static void Transaction_begin(Transaction *transaction)
{
    *transaction = (Transaction){ .base = Snapshot_retain(head) }; /* get: base */
}

static void Transaction_write(Transaction *transaction, int key, int value)
{
    Document *document = malloc(sizeof *document), *old = transaction->base->documents[key];

    if (!document)
        abort();
    kref_init(&document->refcount); /* get: written */
    document->key = key;
    document->value = value;
    document->version = old ? old->version + 1 : 0;
    document->previous = NULL;
    if (old && document->version % 4)
        document->previous = Document_retain(old); /* get: previous version */
    if (transaction->writes[key])
        Document_release(transaction->writes[key]); /* put: written */
    transaction->writes[key] = document;
}

static int Transaction_end(Transaction *transaction, int commit)
{
    Snapshot *old = head;
    int key;

    for (key = 0; key < KEYS; key++)
        if (transaction->writes[key] && transaction->base->documents[key] != head->documents[key]) {
            conflicts++;
            commit = 0;
        }
    if (commit) {
        head = Snapshot_create(old, transaction->writes);
        Snapshot_release(old); /* put: head */
    }
    for (key = 0; key < KEYS; key++)
        if (transaction->writes[key])
            Document_release(transaction->writes[key]); /* put: written */
    Snapshot_release(transaction->base); /* put: base */
    return commit;
}

static void Cursor_close(Cursor *cursor)
{
    if (!cursor->snapshot)
        return;
    if (cursor->current)
        Document_release(cursor->current); /* put: cursor */
    Snapshot_release(cursor->snapshot); /* put: cursor's snapshot */
    *cursor = (Cursor){ NULL, NULL, 0 };
}

static void Cursor_open(Cursor *cursor)
{
    cursor->snapshot = Snapshot_retain(head); /* get: cursor's snapshot */
}

static Document *Cursor_next(Cursor *cursor)
{
    Document *next = NULL;

    while (!next && cursor->position < KEYS)
        next = cursor->snapshot->documents[cursor->position++];
    if (cursor->current)
        Document_release(cursor->current); /* put: cursor */
    cursor->current = next ? Document_retain(next) : NULL; /* get: cursor */
    return next;
}

/* The client keeps the last documents that it has read, without their snapshots. */
static void Client_keep(Document *document)
{
    Document **place = &fetched[reads++ % FETCHED];

    if (*place)
        Document_release(*place); /* put: fetched */
    *place = document ? Document_retain(document) : NULL; /* get: fetched */
}

int main(void)
{
    Transaction own, other;
    pthread_t indexer;
    int i, turn;

    head = Snapshot_create(NULL, (Document *[KEYS]){ NULL });
    if (pthread_create(&indexer, NULL, Index_run, NULL))
        return 1;
    for (turn = 0; turn < 100; turn++) {
        Cursor *cursor = &cursors[Random(CURSORS)];

        Transaction_begin(&own);
        for (i = Random(4); i >= 0; i--)
            Transaction_write(&own, Random(KEYS), turn);
        if (Random(3) == 0) {
            Transaction_begin(&other);
            Transaction_write(&other, Random(6), -turn);
            Transaction_end(&other, 1);
        }
        if (Transaction_end(&own, Random(8)) && Random(4) == 0)
            Index_request(head);
        if (!cursor->snapshot)
            Cursor_open(cursor);
        for (i = Random(5); i > 0 && cursor->snapshot; i--)
            if (Cursor_next(cursor))
                Client_keep(cursor->current);
            else
                Cursor_close(cursor);
    }
    for (i = 0; i < CURSORS; i++)
        Cursor_close(&cursors[i]);
    for (i = 0; i < FETCHED; i++)
        Client_keep(NULL);
    pthread_mutex_lock(&index_lock);
    index_stop = 1;
    pthread_cond_signal(&index_changed);
    pthread_mutex_unlock(&index_lock);
    pthread_join(indexer, NULL);
    Snapshot_release(head); /* put: head */
    printf("%d reads, %d conflicts\n", reads, conflicts);
    return indexed == 0;
}
