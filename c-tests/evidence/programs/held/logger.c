/*
 * Loggers with parents, sinks that loggers share, and a thread that writes records. A record
 * holds the logger it came from; a logger holds its parent and its sinks; the registry holds
 * named loggers.
 */
#include <kref.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOGGERS = 14, SINKS = 3, PER_LOGGER = 2, LINES = 150 };

struct sink {
    struct kref kref;
    long lines;
};

struct logger {
    struct kref kref;
    int level, nsinks;
    struct logger *parent;
    struct sink *sinks[PER_LOGGER];
};

struct record {
    struct record *next;
    struct logger *logger;
    int number;
};

static struct logger *registry[LOGGERS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static struct record *records, **records_end = &records;
static int done;
static long written;

static void sink_close(struct kref *kref)
{
    struct sink *sink = kref_entry(kref, struct sink, kref);

    written += sink->lines;
    free(sink);
}

static void logger_free(struct kref *kref)
{
    struct logger *logger = kref_entry(kref, struct logger, kref);
    int i;

    for (i = 0; i < logger->nsinks; i++)
        kref_put(&logger->sinks[i]->kref, sink_close); /* put: logger's sink */
    if (logger->parent)
        kref_put(&logger->parent->kref, logger_free); /* put: parent */
    free(logger);
}

static struct logger *logger_get(struct logger *logger)
{
    kref_get(&logger->kref);
    return logger;
}

static void logger_put(struct logger *logger)
{
    kref_put(&logger->kref, logger_free);
}

static void add_sink(struct logger *logger, struct sink *sink)
{
    if (logger->nsinks == PER_LOGGER)
        return;
    kref_get(&sink->kref); /* get: logger's sink */
    logger->sinks[logger->nsinks++] = sink;
}

static void logger_define(int name, struct sink *sink)
{
    struct logger *logger = calloc(1, sizeof *logger);

    if (!logger)
        abort();
    kref_init(&logger->kref); /* get: registry */
    logger->level = name % 3;
    add_sink(logger, sink);
    if (name)
        logger->parent = logger_get(registry[(name - 1) / 2]); /* get: parent */
    registry[name] = logger;
}

static struct logger *logger_find(int name)
{
    struct logger *logger;

    pthread_mutex_lock(&lock);
    logger = registry[name];
    if (logger)
        logger_get(logger); /* get: user */
    pthread_mutex_unlock(&lock);
    return logger;
}

static void log_line(struct logger *logger, int number)
{
    struct record *record;

    if (number % 3 < logger->level)
        return;
    record = malloc(sizeof *record);
    if (!record)
        abort();
    record->next = NULL;
    record->number = number;
    record->logger = logger_get(logger); /* get: record */
    pthread_mutex_lock(&lock);
    *records_end = record;
    records_end = &record->next;
    pthread_cond_signal(&filled);
    pthread_mutex_unlock(&lock);
}

static void write_record(struct record *record)
{
    struct logger *logger;
    int i;

    for (logger = record->logger; logger; logger = logger->parent)
        for (i = 0; i < logger->nsinks; i++)
            logger->sinks[i]->lines++;
    logger_put(record->logger); /* put: record */
    free(record);
}

static void *writer(void *unused)
{
    struct record *record;

    pthread_mutex_lock(&lock);
    while (records || !done) {
        if (!(record = records)) {
            pthread_cond_wait(&filled, &lock);
            continue;
        }
        if (!(records = record->next))
            records_end = &records;
        pthread_mutex_unlock(&lock);
        write_record(record);
        pthread_mutex_lock(&lock);
    }
    pthread_mutex_unlock(&lock);
    return unused;
}

static void logger_remove(int name)
{
    struct logger *logger;

    pthread_mutex_lock(&lock);
    logger = registry[name];
    registry[name] = NULL;
    pthread_mutex_unlock(&lock);
    if (logger)
        logger_put(logger); /* put: registry */
}

static void some_module(int number)
{
    struct logger *logger = logger_find(number % LOGGERS);
    int i;

    if (!logger)
        return;
    for (i = 0; i < 4; i++)
        log_line(logger, number + i);
    logger_put(logger); /* put: user */
}

int main(void)
{
    struct sink *sinks[SINKS];
    pthread_t thread;
    int i;

    for (i = 0; i < SINKS; i++) {
        sinks[i] = calloc(1, sizeof *sinks[i]);
        if (!sinks[i])
            return 1;
        kref_init(&sinks[i]->kref); /* get: configuration */
    }
    for (i = 0; i < LOGGERS; i++) {
        logger_define(i, sinks[i % SINKS]);
        if (i % 4 == 3)
            add_sink(registry[i], sinks[(i + 1) % SINKS]);
    }
    if (pthread_create(&thread, NULL, writer, NULL))
        return 1;
    for (i = 0; i < LINES; i++) {
        some_module(i * 5);
        if (i == LINES / 2)
            logger_remove(3);
    }
    pthread_mutex_lock(&lock);
    done = 1;
    pthread_cond_signal(&filled);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    for (i = 0; i < LOGGERS; i++)
        logger_remove(i);
    for (i = 0; i < SINKS; i++)
        kref_put(&sinks[i]->kref, sink_close); /* put: configuration */
    printf("%ld lines\n", written);
    return 0;
}
