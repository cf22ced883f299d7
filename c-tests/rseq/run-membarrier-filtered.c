/*
 * A seccomp filter that refuses membarrier(): before the program starts, or later.
 *
 * without: memcheck, which does not follow the programs that are started here
 * without: qemu-user, because the kernel cannot run /proc/self/exe, a program of another processor
 */
#define _GNU_SOURCE
#include "check.h"
#include "refuse.h"

#include <sys/syscall.h>
#include <sys/wait.h>

#define ROUNDS 1000

struct object {
    struct kref kref;
    struct percpu_ref percpu;
};

static struct kref_slot slot = KREF_SLOT_INIT;
static struct percpu_ref_slot percpu_slot = PERCPU_REF_SLOT_INIT;
static int released, stop;
static struct told told;

static void release(struct kref *kref)
{
    (void)kref;
    __atomic_fetch_add(&released, 1, __ATOMIC_RELAXED);
}

static void release_percpu(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
    __atomic_fetch_add(&released, 1, __ATOMIC_RELAXED);
}

static void publish(struct object *object)
{
    kref_init(&object->kref);
    CHECK(percpu_ref_init(&object->percpu, release_percpu, 0) == 0);
    CHECK(kref_slot_replace(&slot, &object->kref) == NULL);
    CHECK(percpu_ref_slot_replace(&percpu_slot, &object->percpu) == NULL);
}

static void take_down(struct object *object)
{
    CHECK(kref_slot_replace(&slot, NULL) == &object->kref);
    kref_put(&object->kref, release);
    CHECK(percpu_ref_slot_replace(&percpu_slot, NULL) == &object->percpu);
    percpu_ref_kill(&object->percpu);
}

static void get_and_put(void)
{
    struct kref *kref = kref_slot_get(&slot);
    struct percpu_ref *percpu = percpu_ref_slot_get(&percpu_slot);

    if (kref)
        kref_put(kref, release);
    if (percpu)
        percpu_ref_put(percpu);
}

static void *read_often(void *unused)
{
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
        get_and_put();
    return unused;
}

static void refused_from_the_start(void)
{
    static struct object objects[ROUNDS];
    pthread_t thread;
    int i;

    CHECK(!kref_rseq_available());
    start(&thread, read_often, NULL);
    for (i = 0; i < ROUNDS; i++) {
        publish(&objects[i]);
        get_and_put();
        take_down(&objects[i]);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    join(thread);
    CHECK(released == 2 * ROUNDS && !told.times);
}

static void refused_later(void)
{
    static struct object first, second;

    publish(&first);
    get_and_put();
    take_down(&first);
    CHECK(released == 2 && !told.times);
    publish(&second);
    refuse(SYS_membarrier);
    get_and_put();
    take_down(&second);
    CHECK(released == 2 && told.times == 3 && told.last.kind == KREF_NOT_FENCED);
    CHECK(kref_read(&second.kref) == 1 && !percpu_ref_is_zero(&second.percpu));
}

/* Runs this program again, with `what` as its argument. */
static void start_over(const char *what)
{
    execl("/proc/self/exe", "run-membarrier-filtered", what, (char *)NULL);
    CHECK(!"started over");
}

static void must_do(const char *what)
{
    pid_t child = fork();
    int status;

    CHECK(child >= 0);
    if (!child)
        start_over(what);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    kref_set_violation_handler(remember, &told);
    if (!strcmp(what, "refused-from-the-start")) {
        refuse(SYS_membarrier);
        start_over("without");
    } else if (!strcmp(what, "without")) {
        refused_from_the_start();
    } else if (!strcmp(what, "refused-later")) {
        refused_later();
    } else {
        must_do("refused-from-the-start");
        if (kref_rseq_available())
            must_do("refused-later");
    }
    return 0;
}
