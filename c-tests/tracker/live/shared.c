/*
 * Counts in memory that a parent and its children share. The program is right: each reference is given back by the
 * process that it was taken for. A child has the last one.
 */
#include "../object.h"
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 4

struct shared {
    struct kref kref;
    int released;
};

static void release(struct kref *kref)
{
    kref_entry(kref, struct shared, kref)->released++;
}

int main(void)
{
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct object *own = object_new();
    int i, round, status;

    CHECK(shared != MAP_FAILED);
    for (round = 1; round <= 3; round++) {
        kref_init(&shared->kref);
        for (i = 0; i < CHILDREN; i++) {
            kref_get_as(&shared->kref, "child");
            switch (fork()) {
            case 0:
                kref_get_as(&shared->kref, "child itself");
                kref_put_as(&shared->kref, release, "child itself");
                kref_put_as(&shared->kref, release, "child");
                exit(0);
            case -1:
                return 1;
            }
        }
        CHECK(!kref_put(&shared->kref, release) || shared->released == round);
        while (wait(&status) > 0)
            CHECK(status == 0);
        CHECK(shared->released == round);
    }
    object_put(own);
    return 0;
}
