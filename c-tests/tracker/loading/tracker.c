/*
 * The tracker that loading.rs uses in place of libkref_track.so. It prints each event. With
 * -DWRONG_SIZE libkref must refuse its table; with -DUNWILLING it returns no table.
 */
#include <kref.h>
#include <stdio.h>

static int created(struct kref *kref, const char *type)
{
    (void)kref, (void)type;
    return fprintf(stderr, "created\n");
}

static void got(struct kref *kref, unsigned int count, const char *holder)
{
    (void)kref;
    fprintf(stderr, "got %u for %s\n", count, holder ? holder : "nobody");
}

static void released(struct kref *kref, void (*release)(struct kref *kref))
{
    (void)kref;
    fprintf(stderr, release ? "released\n" : "released?\n");
}

static void report(int fd)
{
    dprintf(fd, "report\n");
}

static const struct kref_tracker table = {
#ifdef WRONG_SIZE
    .size = 3,
#else
    .size = sizeof table,
#endif
    .created = created,
    .got = got,
    .released = released,
    .report = report,
};

const struct kref_tracker *kref_track_start(const char *options);
const struct kref_tracker *kref_track_start(const char *options)
{
    fprintf(stderr, "started with %s\n", options);
#ifdef UNWILLING
    return NULL;
#endif
    return &table;
}
