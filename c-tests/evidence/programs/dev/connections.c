/*
 * A pool of database connections. The pool holds each connection that it has made, a borrower
 * holds the one it uses, a prepared statement holds the connection that it was prepared on.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 6, QUERIES = 240, STATEMENTS = 10 };

struct db {
    struct kref kref;
    int number, busy, uses, broken;
};

struct statement {
    struct db *db;
    int executions;
};

static struct db *pool[SIZE];
static struct statement statements[STATEMENTS];
static int connects, queries, waits;

static void db_close(struct kref *kref)
{
    struct db *db = kref_entry(kref, struct db, kref);

    memset(db, 0, sizeof *db);
    free(db);
}

static struct db *db_connect(void)
{
    struct db *db = calloc(1, sizeof *db);

    if (!db)
        return NULL;
    kref_init(&db->kref); /* get: pool */
    db->number = ++connects;
    return db;
}

static struct db *pool_borrow(void)
{
    int i;

    for (i = 0; i < SIZE; i++) {
        if (!pool[i] && !(pool[i] = db_connect()))
            return NULL;
        if (!pool[i]->busy) {
            pool[i]->busy = 1;
            kref_get(&pool[i]->kref); /* get: borrower */
            return pool[i];
        }
    }
    waits++;
    return NULL;
}

static void pool_expel(int place)
{
    kref_put(&pool[place]->kref, db_close); /* put: pool */
    pool[place] = NULL;
}

static void pool_return(struct db *db)
{
    int i;

    db->busy = 0;
    if (db->broken || db->uses > 30)
        for (i = 0; i < SIZE; i++)
            if (pool[i] == db)
                pool_expel(i);
    kref_put(&db->kref, db_close); /* put: borrower */
}

static void finalize(struct statement *statement)
{
    if (!statement->db)
        return;
    kref_put(&statement->db->kref, db_close); /* put: statement */
    statement->db = NULL;
}

static void prepare(struct statement *statement, struct db *db)
{
    finalize(statement);
    kref_get(&db->kref); /* get: statement */
    statement->db = db;
    statement->executions = 0;
}

static int query(int number)
{
    struct statement *statement = &statements[number % STATEMENTS];
    struct db *db = pool_borrow();

    if (!db)
        return -1;
    db->uses++;
    if (statement->db != db || statement->executions > 4)
        prepare(statement, db);
    statement->executions++;
    db->broken = number % 37 == 36;
    if (db->broken) {
        finalize(statement);
        pool_return(db);
        return -1;
    }
    pool_return(db);
    queries++;
    return 0;
}

/* A transaction keeps its connection over several queries of others. */
static void transaction(int number)
{
    struct db *held[3];
    int i, n = 0;

    while (n < 3 && (held[n] = pool_borrow()))
        n++;
    for (i = 0; i < 8; i++)
        query(number + i);
    while (n > 0)
        pool_return(held[--n]);
}

int main(void)
{
    int i;

    for (i = 0; i < QUERIES; i++) {
        query(i);
        if (i % 12 == 0)
            transaction(i * 3);
    }
    for (i = 0; i < STATEMENTS; i++)
        finalize(&statements[i]);
    for (i = 0; i < SIZE; i++)
        if (pool[i])
            pool_expel(i);
    printf("%d connects, %d queries, %d waits\n", connects, queries, waits);
    return 0;
}
