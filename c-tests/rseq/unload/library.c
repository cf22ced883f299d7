/* A plugin that counts references. It is linked with libkref, and has inlined sequences. */
#include <kref.h>

int library_open(void);
void library_use(void);
int library_close(void);

static struct kref_slot slot = KREF_SLOT_INIT;
static struct percpu_ref_slot percpu_slot = PERCPU_REF_SLOT_INIT;
static struct kref kref;
static struct percpu_ref percpu;
static int released;

static void release(struct kref *last)
{
    (void)last;
    released++;
}

static void release_percpu(struct percpu_ref *last)
{
    percpu_ref_exit(last);
    released++;
}

/* Publishes two objects. Returns 0 if that failed. */
int library_open(void)
{
#if defined __x86_64__ && !defined __GLIBC__
    /* With musl libkref itself registers sequences, in a library that was loaded late, too. */
    if (!kref_rseq_available())
        return 0;
#endif
    kref_init(&kref);
    return percpu_ref_init(&percpu, release_percpu, 0) == 0 &&
           !kref_slot_replace(&slot, &kref) && !percpu_ref_slot_replace(&percpu_slot, &percpu);
}

void library_use(void)
{
    struct kref *got = kref_slot_get(&slot);
    struct percpu_ref *ref = percpu_ref_slot_get(&percpu_slot);

    if (got)
        kref_put(got, release);
    if (!ref)
        return;
    percpu_ref_get(ref);
    percpu_ref_put_many(ref, 2);
}

/* Takes the objects out of their slots. Returns how many were released: 2. */
int library_close(void)
{
    struct kref *old = kref_slot_replace(&slot, NULL);
    struct percpu_ref *ref = percpu_ref_slot_replace(&percpu_slot, NULL);

    if (old)
        kref_put(old, release);
    if (ref)
        percpu_ref_kill(ref);
    return released;
}
