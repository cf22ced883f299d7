/*
 * percpu_ref_init() allocates a block for each percpu_ref, and pages for the counters of 64 of them.
 * percpu_ref_exit() frees both. faults/run-references.c lets one of the two fail.
 *
 * without: asan, which has its own allocator
 * without: memcheck, which has one too
 * without: musl, whose mmap() has no other name
 */
#define _GNU_SOURCE
#include "check.h"

#include <sys/mman.h>
#include <sys/syscall.h>

extern void __libc_free(void *memory);
extern void *__libc_malloc(size_t size);

static int blocks, pages;
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
    pages++;
    return mmap64(address, length, protection, flags, file, offset); /* by its name that stays glibc's */
}

int munmap(void *address, size_t length)
{
    pages--;
    return (int)syscall(SYS_munmap, address, length);
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

/* However a percpu_ref ends, its memory is freed. */
static void all_given_back(unsigned int flags, int kill)
{
    struct percpu_ref ref;

    CHECK(!percpu_ref_init(&ref, release, flags));
    CHECK(blocks == 1 && pages == kref_rseq_available());
    CHECK(size_of_block + sizeof(size_t) == 64); /* with malloc's own word, the size of a cache line */
    end(&ref, kill);
    CHECK(!blocks && !pages);
}

/* A kill frees the counters of a percpu_ref that cannot come back, although references are left. */
static void counters_of_the_killed(unsigned int flags, int stay)
{
    struct percpu_ref ref;

    CHECK(!percpu_ref_init(&ref, release, flags));
    percpu_ref_get(&ref);
    percpu_ref_kill(&ref);
    CHECK(blocks == 1 && pages == (stay && kref_rseq_available()));
    percpu_ref_put(&ref);
    CHECK(!blocks && !pages);
}

#define SHARE 64

static struct percpu_ref refs[3 * SHARE];

static void begin(int first, int last)
{
    for (; first < last; first++)
        CHECK(!percpu_ref_init(&refs[first], release, 0));
}

/* Freed counters are used again, also those of pages that were full. */
static void shared_pages(void)
{
    int all = 3 * kref_rseq_available(), round, i;

    begin(0, 3 * SHARE);
    CHECK(blocks == 3 * SHARE && pages == all);
    for (round = 0; round < 3; round++) {
        for (i = round; i < 3 * SHARE; i += 1 + round * 7)
            end(&refs[i], i % 2);
        for (i = round; i < 3 * SHARE; i += 1 + round * 7)
            begin(i, i + 1);
        CHECK(blocks == 3 * SHARE && pages == all);
    }
    for (i = 0; i < 3; i++) {
        /* Frees and takes one counter of each of the full pages. */
        end(&refs[i * SHARE + 17], 1);
        begin(i * SHARE + 17, i * SHARE + 18);
        CHECK(pages == all);
    }
    for (i = 0; i < 3 * SHARE; i++)
        end(&refs[i], i % 2);
    CHECK(!blocks && !pages);
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
