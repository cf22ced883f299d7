/*
 * Files, dentries and inodes. A file holds its dentry, a dentry its parent and its inode; the
 * lists of unused dentries and of dirty inodes hold what they list.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES = 20, OPENS = 150, LRU = 8, FILES = 16 };

struct inode {
    struct kref kref;
    int number, size, dirty;
    struct inode *next_dirty;
};

struct dentry {
    struct kref kref;
    int name;
    struct dentry *parent;
    struct inode *inode;
};

struct file {
    struct dentry *dentry;
    int position;
};

static struct dentry *hashed[NAMES], *lru[LRU], *root;
static struct inode *dirty;
static struct file files[FILES];
static int lru_next, inodes, synced;

static void iput_final(struct kref *kref)
{
    free(kref_entry(kref, struct inode, kref));
    inodes--;
}

static void iput(struct inode *inode)
{
    kref_put(&inode->kref, iput_final);
}

static void dentry_kill(struct kref *kref)
{
    struct dentry *dentry = kref_entry(kref, struct dentry, kref);

    hashed[dentry->name] = NULL;
    iput(dentry->inode); /* put: dentry's inode */
    if (dentry->parent)
        kref_put(&dentry->parent->kref, dentry_kill); /* put: parent */
    free(dentry);
}

static void dput(struct dentry *dentry)
{
    kref_put(&dentry->kref, dentry_kill);
}

static struct inode *new_inode(int number)
{
    struct inode *inode = calloc(1, sizeof *inode);

    if (!inode)
        abort();
    kref_init(&inode->kref); /* get: dentry's inode */
    inode->number = number;
    inodes++;
    return inode;
}

static void mark_dirty(struct inode *inode)
{
    if (inode->dirty)
        return;
    kref_get(&inode->kref); /* get: dirty */
    inode->dirty = 1;
    inode->next_dirty = dirty;
    dirty = inode;
}

static void sync_inodes(void)
{
    while (dirty) {
        struct inode *inode = dirty;

        dirty = inode->next_dirty;
        inode->dirty = 0;
        synced++;
        iput(inode); /* put: dirty */
    }
}

static struct dentry *lookup(struct dentry *parent, int name)
{
    struct dentry *dentry = hashed[name];

    if (dentry) {
        kref_get(&dentry->kref); /* get: lookup */
        return dentry;
    }
    dentry = calloc(1, sizeof *dentry);
    if (!dentry)
        abort();
    kref_init(&dentry->kref); /* get: lookup */
    dentry->name = name;
    dentry->inode = new_inode(100 + name);
    if (parent) {
        kref_get(&parent->kref); /* get: parent */
        dentry->parent = parent;
    }
    hashed[name] = dentry;
    return dentry;
}

static void lru_add(struct dentry *dentry)
{
    struct dentry **place = &lru[lru_next++ % LRU];

    if (*place)
        dput(*place); /* put: lru */
    *place = dentry;
    kref_get(&dentry->kref); /* get: lru */
}

static void file_close(struct file *file)
{
    if (!file->dentry)
        return;
    lru_add(file->dentry);
    dput(file->dentry); /* put: file */
    file->dentry = NULL;
}

static void file_open(struct file *file, int name)
{
    struct dentry *folder = lookup(root, name % 4), *dentry;

    file_close(file);
    dentry = lookup(folder, name);
    file->dentry = dentry;
    kref_get(&dentry->kref); /* get: file */
    dput(dentry); /* put: lookup */
    dput(folder); /* put: lookup */
}

static void file_write(struct file *file, int bytes)
{
    file->dentry->inode->size += bytes;
    mark_dirty(file->dentry->inode);
}

int main(void)
{
    int i;

    root = lookup(NULL, 0);
    for (i = 0; i < OPENS; i++) {
        file_open(&files[i * 5 % FILES], 1 + i * 11 % (NAMES - 1));
        if (i % 3 == 0)
            file_write(&files[i * 5 % FILES], i);
        if (i % 20 == 19)
            sync_inodes();
    }
    for (i = 0; i < FILES; i++)
        file_close(&files[i]);
    sync_inodes();
    for (i = 0; i < LRU; i++)
        if (lru[i])
            dput(lru[i]); /* put: lru */
    dput(root); /* put: lookup */
    printf("%d inodes left, %d written\n", inodes, synced);
    return 0;
}
