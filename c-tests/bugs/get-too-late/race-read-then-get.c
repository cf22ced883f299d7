/*
 * A lookup reads the count, and takes a reference if the count is not zero. The last put may come
 * between the two steps. Seen where somebody wrote kref_get_unless_zero() by hand.
 * Nothing shows this bug, unless kref-track changes the schedule.
 *
 * found by: race
 */
#include "check.h"

#define ROUNDS 20

struct inode {
    char name[16];
    struct kref kref;
};

static struct inode *table;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void inode_release(struct kref *kref)
{
    pthread_mutex_lock(&lock);
    table = NULL;
    pthread_mutex_unlock(&lock);
    free(kref_entry(kref, struct inode, kref));
}

static void *forget(void *inode)
{
    kref_put(&((struct inode *)inode)->kref, inode_release);
    return NULL;
}

static struct inode *find(void)
{
    struct inode *inode;

    pthread_mutex_lock(&lock);
    inode = table;
#ifdef RIGHT
    if (inode && !kref_get_unless_zero(&inode->kref)) /* FIX */
        inode = NULL;                                 /* FIX */
#else
    if (inode && kref_read(&inode->kref))
        kref_get(&inode->kref); /* BLAME */
    else
        inode = NULL;
#endif
    pthread_mutex_unlock(&lock);
    return inode;
}

int main(void)
{
    struct inode *inode;
    pthread_t thread;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        table = inode = calloc(1, sizeof *table);
        CHECK(inode);
        kref_init(&inode->kref);
        start(&thread, forget, inode);
        if ((inode = find()))
            kref_put(&inode->kref, inode_release);
        join(thread);
    }
    return 0;
}
