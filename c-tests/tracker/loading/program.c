/* The program that loading.rs runs, with and without a tracker. */
#include <kref.h>
#include <stdio.h>
#include <unistd.h>

static struct kref kref;

static void release(struct kref *released)
{
    (void)released;
}

int main(void)
{
    kref_init(&kref);
    kref_get_as(&kref, "cache");
    kref_get(&kref);
    kref_put(&kref, release);
    kref_put_as(&kref, release, "cache");
    kref_put(&kref, release);
    fprintf(stderr, kref_track_report(2) ? "untracked\n" : "tracked\n");
    return 0;
}
