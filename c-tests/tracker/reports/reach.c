/* What leads to the objects that are held when the program ends, by the first argument. */
#include "../object.h"
#include <pthread.h>
#include <semaphore.h>

/* An owner, with an array of parts, which have leaves. Each points to what it belongs to, without a reference. */
struct leaf {
    struct kref kref;
    struct part *part;
};

struct part {
    struct kref kref;
    struct owner *owner;
    struct leaf *leaves[2];
};

enum { PARTS = 4 };

struct owner {
    struct kref kref;
    struct part **parts;
};

static void leaf_release(struct kref *kref)
{
    free(kref_entry(kref, struct leaf, kref));
}

static void part_release(struct kref *kref)
{
    struct part *part = kref_entry(kref, struct part, kref);

    for (int i = 0; i < 2; i++)
        kref_put(&part->leaves[i]->kref, leaf_release);
    free(part);
}

static void owner_release(struct kref *kref)
{
    struct owner *owner = kref_entry(kref, struct owner, kref);

    for (int i = 0; i < PARTS; i++)
        kref_put(&owner->parts[i]->kref, part_release);
    free(owner->parts);
    free(owner);
}

static void *zalloc(size_t size)
{
    void *memory = calloc(1, size);

    CHECK(memory);
    return memory;
}

static struct owner *owner_new(void)
{
    struct owner *owner = zalloc(sizeof *owner);

    kref_init_as(&owner->kref, "owner");
    owner->parts = zalloc(PARTS * sizeof *owner->parts);
    for (int i = 0; i < PARTS; i++) {
        struct part *part = owner->parts[i] = zalloc(sizeof *part);

        kref_init_as(&part->kref, "part");
        part->owner = owner;
        for (int leaf = 0; leaf < 2; leaf++) {
            part->leaves[leaf] = zalloc(sizeof(struct leaf));
            kref_init_as(&part->leaves[leaf]->kref, "leaf");
            part->leaves[leaf]->part = part;
        }
    }
    return owner;
}

static void owner_put(struct owner *owner)
{
    kref_put(&owner->kref, owner_release);
}

static struct owner *volatile keep_owner;
static struct object **volatile keep_array;
static struct part *volatile keep_parts[PARTS];
static sem_t ready;

/* The object is known to this thread alone, which waits for ever. */
static void *hold(void *unused)
{
    struct object *volatile object = object_new();

    CHECK(sem_post(&ready) == 0);
    for (;;)
        pause();
    object_put(object);
    return unused;
}

/* Both objects are of this thread's heap. The stack of a thread that has ended holds nothing. */
static void *keep_one(void *unused)
{
    struct object *volatile lost = object_new();

    keep_array = zalloc((1 << 20) * sizeof *keep_array);
    keep_array[1 << 19] = object_new();
    (void)lost;
    return unused;
}

static void run(void *(*function)(void *), int until_ready)
{
    pthread_t thread;

    CHECK(sem_init(&ready, 0, 0) == 0);
    CHECK(pthread_create(&thread, NULL, function, NULL) == 0);
    CHECK(until_ready ? sem_wait(&ready) == 0 : pthread_join(thread, NULL) == 0);
}

/* A table points to the parts of an owner. Only the parts point to the owner, on which one reference is never put. */
static void table(int has_references)
{
    struct owner *owner = owner_new();

    kref_get(&owner->kref);
    for (int i = 0; i < PARTS; i++) {
        keep_parts[i] = owner->parts[i];
        if (has_references)
            kref_get(&keep_parts[i]->kref);
    }
}

/* More types than a report's list has lines elsewhere. */
static void many(void)
{
    static char names[64][8];

    for (int i = 0; i < 64; i++) {
        struct object *object = zalloc(sizeof *object);

        CHECK(snprintf(names[i], sizeof names[i], "type%d", i) > 0);
        kref_init_as(&object->kref, names[i]);
    }
}

static void __attribute__((noinline, noreturn)) leave(void)
{
    struct object *volatile object = object_new();

    (void)object;
    exit(0);
}

static void __attribute__((noinline)) ask(void)
{
    struct object *volatile object = object_new();

    CHECK(kref_track_report(STDOUT_FILENO) == 0);
    object_put(object);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "lost") == 0) {
        kref_get(&owner_new()->kref);
    } else if (strcmp(what, "given-back") == 0) {
        owner_put(owner_new());
    } else if (strcmp(what, "global") == 0) {
        keep_owner = owner_new();
    } else if (strcmp(what, "second") == 0) {
        owner_put(owner_new());
        keep_owner = owner_new();
    } else if (strcmp(what, "global-get") == 0) {
        keep_owner = owner_new();
        kref_get(&keep_owner->kref);
    } else if (strcmp(what, "leak-below") == 0) {
        keep_owner = owner_new();
        kref_get(&keep_owner->parts[1]->kref);
    } else if (strcmp(what, "table") == 0) {
        table(1);
    } else if (strcmp(what, "stale-table") == 0) {
        table(0);
    } else if (strcmp(what, "thread") == 0) {
        run(hold, 1);
    } else if (strcmp(what, "other-heap") == 0) {
        run(keep_one, 0);
    } else if (strcmp(what, "exit") == 0) {
        leave();
    } else if (strcmp(what, "request") == 0) {
        ask();
    } else {
        CHECK(strcmp(what, "many") == 0);
        many();
    }
    return 0;
}
