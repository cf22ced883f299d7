/*
 * The objects of the torture programs. A released object is filled with poison and freed later;
 * some objects lie in pages of their own, which can no longer be accessed after the release. So a
 * thread that uses a released object reads poison, or changes the poison, or crashes.
 */
#ifndef POISON_H
#define POISON_H

#include "torture.h"

#include <sys/mman.h>

#if defined __SANITIZE_ADDRESS__
#define ASAN 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define ASAN 1
#endif
#endif

#define ALIVE 0x600dca11u
#define POISON 0xdb
#define PAGE ((size_t)4096)

struct object {
    union {
        struct kref kref;
        struct percpu_ref percpu;
    } count; /* first, so the count and the object have one address */
    unsigned int magic, flags;
    int is_page, is_killed;
};

static struct object *object_new(int is_page)
{
    struct object *object = is_page ? mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                                    : malloc(sizeof *object);

    CHECK(object && (void *)object != MAP_FAILED);
    /* Otherwise a fork would write-protect the page, and a sequence's access would be a page fault. kref/slot.h tells
     * what happens if the object is unmapped meanwhile. */
    CHECK(!is_page || madvise(object, PAGE, MADV_DONTFORK) == 0);
    memset(object, 0, sizeof *object);
    object->magic = ALIVE;
    object->is_page = is_page;
    __atomic_fetch_add(&made, 1, __ATOMIC_RELAXED);
    return object;
}

/* To be called by a thread that holds a reference. */
static void object_check(struct object *object)
{
    CHECK(object->magic == ALIVE);
}

/* A released object is kept for a while, so that a late write to it is found. */
struct grave {
    struct object *object;
    int is_page;
};

static void object_free(struct grave grave)
{
    const unsigned char *bytes = (const unsigned char *)grave.object;
    size_t i;

    if (grave.is_page) {
        CHECK(munmap(grave.object, PAGE) == 0);
        return;
    }
    for (i = 0; i < sizeof *grave.object; i++)
        CHECK(bytes[i] == POISON);
    free(grave.object);
}

#define GRAVES 256
static struct grave graves[GRAVES];
static unsigned int next_grave;
static pthread_mutex_t graves_lock = PTHREAD_MUTEX_INITIALIZER;

static void object_release(struct object *object)
{
    struct grave grave = {object, object->is_page}, old;

    object_check(object);
    memset(object, POISON, sizeof *object);
    __atomic_fetch_add(&released, 1, __ATOMIC_RELAXED);
    if (grave.is_page)
        CHECK(mprotect(object, PAGE, PROT_NONE) == 0);
#ifdef ASAN
    object_free(grave); /* AddressSanitizer keeps freed memory itself, and also finds late reads */
    return;
#endif
    pthread_mutex_lock(&graves_lock);
    old = graves[next_grave];
    graves[next_grave] = grave;
    next_grave = (next_grave + 1) % GRAVES;
    pthread_mutex_unlock(&graves_lock);
    if (old.object)
        object_free(old);
}

static void objects_are_all_released(void)
{
    int i;

    CHECK(made && released == made);
    for (i = 0; i < GRAVES; i++)
        if (graves[i].object)
            object_free(graves[i]);
}

#endif
