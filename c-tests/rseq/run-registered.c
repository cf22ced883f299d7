/*
 * Another library has registered an area for restartable sequences before libkref looks: glibc, or, where glibc has
 * not (`no-rseq`) and with musl, this program, as librseq and tcmalloc do. libkref uses glibc's area or none, and
 * each registration stays.
 */
#define _GNU_SOURCE
#include "check.h"

#include <errno.h>
#include <sys/syscall.h>

#define SIZE 32
#define UNREGISTER 1
#define SIGNATURE 0x53053053

/* librseq's and tcmalloc's name. */
__thread char __rseq_abi[SIZE] __attribute__((aligned(SIZE)));

static int released;

static void release(struct kref *kref)
{
    (void)kref;
    released++;
}

static void release_percpu(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
    released++;
}

/* Registers the area of this program. Returns 0, or the kernel's error. */
static int rseq(int flags)
{
    return syscall(SYS_rseq, __rseq_abi, SIZE, flags, SIGNATURE) ? errno : 0;
}

static void use_sequences(void)
{
    static struct kref_slot slot = KREF_SLOT_INIT;
    struct kref kref = KREF_INIT(1);
    struct percpu_ref percpu;

    CHECK(!percpu_ref_init(&percpu, release_percpu, 0));
    CHECK(!kref_slot_replace(&slot, &kref) && kref_slot_get(&slot) == &kref);
    percpu_ref_get(&percpu);
    percpu_ref_put(&percpu);
    percpu_ref_kill(&percpu);
    kref_put(kref_slot_replace(&slot, NULL), release);
    kref_put(&kref, release);
    CHECK(released == 2);
}

int main(void)
{
    int error = rseq(0), is_ours = !error;

    use_sequences();
    CHECK(!is_ours || !kref_rseq_available());
    CHECK(rseq(0) == (is_ours ? EBUSY : error));
    CHECK(!is_ours || !rseq(UNREGISTER));
    return 0;
}
