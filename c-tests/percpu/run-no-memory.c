/*
 * percpu_ref_init() without memory. It allocates in two places; if one of them fails, it returns
 * -ENOMEM and has freed the other memory.
 *
 * without: asan, which has an allocator of its own
 * without: memcheck, which has one, too
 */
#define _GNU_SOURCE
#include "check.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

extern void __libc_free(void *memory);
extern void *__libc_memalign(size_t alignment, size_t size);

static int refuse_blocks, refuse_pages, blocks, pages;

/* These replace libc's functions, and count the library's allocations. */
void *aligned_alloc(size_t alignment, size_t size)
{
    if (refuse_blocks)
        return NULL;
    blocks++;
    return __libc_memalign(alignment, size);
}

void free(void *memory)
{
    blocks -= memory != NULL;
    __libc_free(memory);
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset)
{
    if (refuse_pages)
        return MAP_FAILED;
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

int main(void)
{
    struct percpu_ref ref;

    refuse_blocks = 1;
    CHECK(percpu_ref_init(&ref, release, 0) == -ENOMEM && !blocks && !pages);
    refuse_blocks = 0;
    if (kref_rseq_available()) {
        refuse_pages = 1;
        CHECK(percpu_ref_init(&ref, release, 0) == -ENOMEM && !blocks && !pages);
        refuse_pages = 0;
    }
    CHECK(!percpu_ref_init(&ref, release, 0) && blocks == 1 && pages == kref_rseq_available());
    percpu_ref_kill(&ref);
    CHECK(!blocks && !pages);
    return 0;
}
