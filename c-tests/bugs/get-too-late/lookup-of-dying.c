/*
 * The table holds no reference, and release removes the object under the lock. The lookup takes its
 * reference under the lock, too, but with kref_get(), although the count may be zero already. Seen
 * in tables of weak pointers. Here the lookup comes at that moment.
 *
 * found by: get-after-release
 */
#include "check.h"

struct inode {
    char name[16];
    struct kref kref;
};

static struct inode *table;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int dying;

static void inode_release(struct kref *kref)
{
    __atomic_store_n(&dying, 1, __ATOMIC_RELAXED);
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
    struct inode *inode = table;

#ifdef RIGHT
    if (!kref_get_unless_zero(&inode->kref)) /* FIX */
        return NULL;                         /* FIX */
#else
    kref_get(&inode->kref); /* BLAME */
#endif
    return inode;
}

int main(void)
{
    struct inode *found;
    pthread_t thread;

    table = calloc(1, sizeof *table);
    CHECK(table);
    kref_init(&table->kref);
    pthread_mutex_lock(&lock);
    start(&thread, forget, table);
    while (!__atomic_load_n(&dying, __ATOMIC_RELAXED))
        ;
    found = find();
    pthread_mutex_unlock(&lock);
    join(thread);
    if (found)
        kref_put(&found->kref, inode_release);
    return 0;
}
