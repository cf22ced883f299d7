/* A tracker for tests, which writes each event down as text. */
#ifndef RECORDER_H
#define RECORDER_H

#include "check.h"

#include <stdarg.h>

/* The events since the last CHECK_TOLD, for example "got 2 cache; done", and their object. */
static char told_events[4096];
static const void *told_kref;
static void (*told_release)(struct kref *);
static int track_next = 1;
/* While it is not NULL, the events are of this percpu_ref: the address of a kref is its address then. */
static struct percpu_ref *told_percpu;
/* A function that each `got` calls at its start, or NULL. */
static void (*at_got)(void);

__attribute__((format(printf, 2, 3), unused))
static void write_down(const void *kref, const char *format, ...)
{
    size_t length = strlen(told_events);
    va_list arguments;

    if (length)
        length += (size_t)sprintf(told_events + length, "; ");
    va_start(arguments, format);
    vsnprintf(told_events + length, sizeof told_events - length, format, arguments);
    va_end(arguments);
    told_kref = kref;
}

static int created(struct kref *kref, const char *type)
{
    write_down(kref, "created%s%s", type ? " " : "", type ? type : "");
    return track_next;
}

static void getting(struct kref *kref)
{
    write_down(kref, "getting");
}

static void got(struct kref *kref, unsigned int count, const char *holder)
{
    if (at_got)
        at_got();
    write_down(kref, "got %u%s%s", count, holder ? " " : "", holder ? holder : "");
}

static void putting(struct kref *kref, void (*release)(struct kref *), unsigned int count,
                    const char *holder)
{
    CHECK(told_percpu || kref_read(kref) >= 1);
    told_release = release;
    write_down(kref, "putting %u%s%s", count, holder ? " " : "", holder ? holder : "");
}

static void released(struct kref *kref, void (*release)(struct kref *))
{
    CHECK(told_percpu ? percpu_ref_is_zero(told_percpu) : kref_read(kref) == 0);
    told_release = release;
    write_down(kref, "released");
}

static void done(const void *kref)
{
    write_down(kref, "done");
}

static void violated(const struct kref_violation *violation)
{
    write_down(violation->kref, "violated %d", (int)violation->kind);
}

static void report(int fd)
{
    write_down(NULL, "report %d", fd);
}

static void checkpoint(void)
{
    write_down(NULL, "checkpoint");
}

static void missed(struct kref_pool *pool, uint64_t handle, int given)
{
    CHECK(pool);
    write_down(NULL, "missed %s %d", handle ? "a number" : "0", given);
}

static int percpu(struct percpu_ref *ref, enum kref_percpu_event event,
                  void (*release)(struct percpu_ref *))
{
    static const char *const names[] = { "", "init", "kill", "revive", "exit", "let go" };

    CHECK(release);
    write_down(ref, "%s", names[event]);
    return track_next;
}

static void let_go(const void *kref)
{
    write_down(kref, "let go");
}

static unsigned int balance(int begins, const char *type)
{
    write_down(NULL, begins ? "begins %s" : "ends%s", type ? type : "");
    return begins ? 0 : 7;
}

static const struct kref_tracker writes_down = { sizeof writes_down, created,    getting, got,
                                                 putting,            released,   done,    violated,
                                                 report,             checkpoint, missed,  percpu,
                                                 let_go,             balance };

/* Checks the events since the last CHECK_TOLD. All must be about `object`. */
#define CHECK_TOLD(object, events)                                                                 \
    do {                                                                                           \
        if (strcmp(told_events, events) ||                                                         \
            (*told_events && told_kref != (const void *)(object))) {                               \
            fprintf(stderr, "%s:%d: told \"%s\" of %p, not \"%s\" of %p\n", __FILE__, __LINE__,    \
                    told_events, (void *)(size_t)told_kref, events, (void *)(object));             \
            exit(1);                                                                               \
        }                                                                                          \
        *told_events = '\0';                                                                       \
    } while (0)

#endif
