/*
 * percpu_ref_init() allocates a block for each percpu_ref, and a chunk of pages for the counters of 64 of them.
 * percpu_ref_exit() frees the block, and the counters for another percpu_ref. A chunk stays mapped: see slot/run-fault.c.
 * faults/run-references.c lets one of the two fail.
 *
 * without: asan, which has its own allocator
 * without: memcheck, which has one too
 * without: musl, whose mmap() has no other name
 */
#define _GNU_SOURCE
#include "check.h"

#include <sys/mman.h>

extern void __libc_free(void *memory);
extern void *__libc_malloc(size_t size);

static int blocks, chunks;
static size_t size_of_block;

/* These replace libc's functions, and count the library's allocations. */
void *malloc(size_t size)
{
    blocks++;
    size_of_block = size;
    return __libc_malloc(size);
}

void free(void *memory)
{
    blocks -= memory != NULL;
    __libc_free(memory);
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset)
{
    chunks++;
    return mmap64(address, length, protection, flags, file, offset); /* by its name that stays glibc's */
}

/* The library never calls it. */
int munmap(void *address, size_t length)
{
    (void)length;
    CHECK(!address);
    return -1;
}

static void release(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
}

/* Kills the percpu_ref, whose release function exits; or exits it alive. */
static void end(struct percpu_ref *ref, int kill)
{
    if (kill)
        percpu_ref_kill(ref);
    else
        percpu_ref_exit(ref);
}

/* However a percpu_ref ends, the next one needs no other chunk. */
static void all_given_back(unsigned int flags, int kill)
{
    struct percpu_ref ref;

    CHECK(!percpu_ref_init(&ref, release, flags));
    CHECK(blocks == 1 && chunks == kref_rseq_available());
    CHECK(size_of_block + sizeof(size_t) == 64); /* with malloc's own word, the size of a cache line */
    end(&ref, kill);
    CHECK(!blocks);
}

/* A kill frees the counters of a percpu_ref that cannot come back, although references are left. */
static void counters_of_the_killed(unsigned int flags, int stay)
{
    struct percpu_ref ref, next;
    void *counters;

    CHECK(!percpu_ref_init(&ref, release, flags));
    counters = ref.counters;
    percpu_ref_get(&ref);
    percpu_ref_kill(&ref);
    CHECK(blocks == 1 && !percpu_ref_init(&next, release, 0));
    CHECK((next.counters == counters) == !(stay && counters));
    percpu_ref_exit(&next);
    percpu_ref_put(&ref);
    CHECK(!blocks);
}

#define SHARE 64

static struct percpu_ref refs[3 * SHARE];

static void begin(int first, int last)
{
    for (; first < last; first++)
        CHECK(!percpu_ref_init(&refs[first], release, 0));
}

/* Freed counters are used again, also those of chunks that were full or empty. */
static void shared_pages(void)
{
    int all = 3 * kref_rseq_available(), round, i;

    begin(0, 3 * SHARE);
    CHECK(blocks == 3 * SHARE && chunks == all);
    for (round = 0; round < 3; round++) {
        for (i = round; i < 3 * SHARE; i += 1 + round * 7)
            end(&refs[i], i % 2);
        for (i = round; i < 3 * SHARE; i += 1 + round * 7)
            begin(i, i + 1);
        CHECK(blocks == 3 * SHARE && chunks == all);
    }
    for (i = 0; i < 3; i++) {
        /* Frees and takes one counter of each of the full chunks. */
        end(&refs[i * SHARE + 17], 1);
        begin(i * SHARE + 17, i * SHARE + 18);
        CHECK(chunks == all);
    }
    for (i = 0; i < 3 * SHARE; i++)
        end(&refs[i], i % 2);
    CHECK(!blocks);
    begin(0, 3 * SHARE);
    CHECK(chunks == all);
}

int main(void)
{
    int kill;

    for (kill = 0; kill < 2; kill++) {
        all_given_back(0, kill);
        all_given_back(PERCPU_REF_ALLOW_REINIT, kill);
        all_given_back(PERCPU_REF_INIT_ATOMIC, kill);
    }
    counters_of_the_killed(0, 0);
    counters_of_the_killed(PERCPU_REF_ALLOW_REINIT, 1);
    shared_pages();
    return 0;
}
