/*
 * The get stands inside a retry loop and the put after it, so a command that succeeds at the third
 * try keeps two references. Seen with busy hardware and interrupted calls.
 *
 * found by: leak
 */
#include "check.h"

struct disk {
    char name[16];
    struct kref kref;
    int busy;
};

static void disk_release(struct kref *kref)
{
    free(kref_entry(kref, struct disk, kref));
}

static int issue(struct disk *disk)
{
    return disk->busy-- > 0 ? -1 : 0;
}

static int command(struct disk *disk)
{
    int tries, error = -1;

    for (tries = 0; error && tries < 5; tries++) {
#ifdef RIGHT
        if (tries == 0)            /* FIX */
            kref_get(&disk->kref); /* FIX */
#else
        kref_get(&disk->kref); /* BLAME */
#endif
        error = issue(disk);
    }
    kref_put(&disk->kref, disk_release);
    return error;
}

int main(void)
{
    struct disk *disk = calloc(1, sizeof *disk);

    CHECK(disk);
    kref_init(&disk->kref);
    CHECK(command(disk) == 0);
    disk->busy = 2;
    CHECK(command(disk) == 0);
    kref_put(&disk->kref, disk_release);
    return 0;
}
