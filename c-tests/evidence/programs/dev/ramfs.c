/*
 * A file system in memory. Names are dentries, which hold their parent and their inode; a mount
 * covers a directory. Tasks have a working directory and descriptors, and a file that is open
 * outlives its name.
 */
#include <errno.h>
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { KIDS = 6, TASKS = 5, FDS = 6, MOUNTS = 4, CALLS = 2500 };

struct inode {
    struct kref i_count;
    int nlink, size, is_dir;
};

struct dentry {
    struct kref d_count;
    struct dentry *parent;
    struct inode *inode;
    struct dentry *kids[KIDS];
};

struct mount {
    struct kref mnt_count;
    struct dentry *root, *mountpoint; /* no mountpoint: / */
};

struct path {
    struct mount *mnt;
    struct dentry *dentry;
};

struct file {
    struct kref f_count;
    struct path path;
};

struct task {
    struct path cwd;
    struct file *fd[FDS];
};

static struct mount *mounts[MOUNTS];
static struct task tasks[TASKS];
static long written;
static int failed;

static int random_below(int n)
{
    static unsigned int seed = 4004;

    seed = seed * 1664525u + 1013904223u;
    return (int)(seed >> 10) % n;
}

static void inode_evict(struct kref *kref)
{
    struct inode *inode = kref_entry(kref, struct inode, i_count);

    written += inode->size;
    free(inode);
}

static void dentry_kill(struct kref *kref)
{
    struct dentry *dentry = kref_entry(kref, struct dentry, d_count);

    if (dentry->parent)
        kref_put(&dentry->parent->d_count, dentry_kill); /* put: d_parent */
    kref_put(&dentry->inode->i_count, inode_evict);      /* put: d_inode */
    free(dentry);
}

static struct dentry *dget(struct dentry *dentry)
{
    kref_get(&dentry->d_count);
    return dentry;
}

static void dput(struct dentry *dentry)
{
    kref_put(&dentry->d_count, dentry_kill);
}

static void d_shrink(struct dentry *dir)
{
    for (int i = 0; i < KIDS; i++)
        if (dir->kids[i]) {
            d_shrink(dir->kids[i]);
            dput(dir->kids[i]); /* put: linked */
            dir->kids[i] = NULL;
        }
}

static void cleanup_mnt(struct kref *kref)
{
    struct mount *mnt = kref_entry(kref, struct mount, mnt_count);

    d_shrink(mnt->root);
    dput(mnt->root); /* put: mount */
    if (mnt->mountpoint)
        dput(mnt->mountpoint); /* put: mount */
    free(mnt);
}

static void path_put(const struct path *path)
{
    dput(path->dentry);
    kref_put(&path->mnt->mnt_count, cleanup_mnt);
}

static void file_free(struct kref *kref)
{
    struct file *file = kref_entry(kref, struct file, f_count);

    path_put(&file->path); /* put: path */
    free(file);
}

/* A name for the inode of the file, or for a new one. The caller gets a reference. */
static struct dentry *d_alloc(struct dentry *parent, const struct file *file, int is_dir)
{
    struct dentry *dentry = calloc(1, sizeof *dentry);
    struct inode *inode = file ? file->path.dentry->inode : NULL;

    kref_init(&dentry->d_count);
    if (parent)
        dentry->parent = dget(parent); /* get: d_parent */
    if (inode) {
        kref_get(&inode->i_count); /* get: d_inode */
    } else {
        inode = calloc(1, sizeof *inode);
        kref_init(&inode->i_count); /* get: d_inode */
        inode->is_dir = is_dir;
    }
    inode->nlink++;
    dentry->inode = inode;
    return dentry;
}

static void path_init(struct path *path, struct mount *mnt, struct dentry *dentry)
{
    *path = (struct path){ mnt, dentry };
    kref_get(&mnt->mnt_count);
    dget(dentry);
}

/* Some steps down from the working directory or from /. The caller gets the path. */
static void path_walk(const struct task *task, struct path *path)
{
    const struct path root = { mounts[0], mounts[0]->root };
    const struct path *start = random_below(3) ? &root : &task->cwd;

    path_init(path, start->mnt, start->dentry); /* get: path */
    for (int depth = random_below(5); depth > 0; depth--) {
        struct dentry *next = path->dentry->kids[random_below(KIDS)];
        struct path old = *path;
        struct mount *mnt = old.mnt;

        if (!next)
            continue;
        for (int i = 1; i < MOUNTS; i++)
            if (mounts[i] && mounts[i]->mountpoint == next) {
                mnt = mounts[i];
                next = mnt->root;
            }
        path_init(path, mnt, next); /* get: path */
        path_put(&old);             /* put: path */
    }
}

static int sys_close(struct task *task, int fd)
{
    if (!task->fd[fd])
        return -EBADF;
    kref_put(&task->fd[fd]->f_count, file_free); /* put: fd */
    task->fd[fd] = NULL;
    return 0;
}

static int sys_open(struct task *task, int fd)
{
    struct file *file;
    struct path path;

    path_walk(task, &path);
    if (path.dentry->inode->is_dir) {
        path_put(&path); /* put: path */
        return -EISDIR;
    }
    file = calloc(1, sizeof *file);
    kref_init(&file->f_count); /* get: fd */
    file->path = path;
    sys_close(task, fd);
    task->fd[fd] = file;
    return 0;
}

/* A new name in a directory: of the file of a descriptor, if there is one. */
static int sys_link(struct task *task, struct file *file, int is_dir)
{
    int slot = random_below(KIDS), err = 0;
    struct path dir;

    path_walk(task, &dir);
    if (!dir.dentry->inode->is_dir || dir.dentry->inode->nlink == 0)
        err = -ENOTDIR;
    else if (dir.dentry->kids[slot])
        err = -EEXIST;
    else if (file && file->path.mnt != dir.mnt)
        err = -EXDEV;
    else
        dir.dentry->kids[slot] = d_alloc(dir.dentry, file, is_dir); /* get: linked */
    path_put(&dir); /* put: path */
    return err;
}

static int sys_unlink(struct task *task)
{
    int slot = random_below(KIDS);
    struct dentry *victim;
    struct path dir;

    path_walk(task, &dir);
    victim = dir.dentry->kids[slot];
    for (int i = 0; victim && i < KIDS; i++)
        if (victim->kids[i])
            victim = NULL;
    if (!victim) {
        path_put(&dir); /* put: path */
        return -ENOENT;
    }
    dir.dentry->kids[slot] = NULL;
    victim->inode->nlink--;
    dput(victim);   /* put: linked */
    path_put(&dir); /* put: path */
    return 0;
}

static int sys_chdir(struct task *task)
{
    struct path path, old = task->cwd;

    path_walk(task, &path);
    if (!path.dentry->inode->is_dir) {
        path_put(&path); /* put: path */
        return -ENOTDIR;
    }
    task->cwd = path;
    path_put(&old); /* put: path */
    return 0;
}

static void do_mount(int i, struct dentry *mountpoint)
{
    struct mount *mnt = calloc(1, sizeof *mnt);

    kref_init(&mnt->mnt_count);         /* get: namespace */
    mnt->root = d_alloc(NULL, NULL, 1); /* get: mount */
    if (mountpoint)
        mnt->mountpoint = dget(mountpoint); /* get: mount */
    mounts[i] = mnt;
}

/* Lazy: what is open keeps the mount. */
static void do_umount(int i)
{
    struct mount *mnt = mounts[i];

    mounts[i] = NULL;
    if (mnt)
        kref_put(&mnt->mnt_count, cleanup_mnt); /* put: namespace */
}

static int sys_mount(struct task *task, int i)
{
    struct path path;

    do_umount(i);
    path_walk(task, &path);
    if (path.dentry->inode->is_dir && path.dentry != path.mnt->root)
        do_mount(i, path.dentry);
    path_put(&path); /* put: path */
    return mounts[i] ? 0 : -ENOTDIR;
}

static int do_syscall(struct task *task)
{
    int fd = random_below(FDS);

    switch (random_below(13)) {
    case 0:
        return sys_chdir(task);
    case 1:
        return sys_mount(task, 1 + random_below(MOUNTS - 1));
    case 2:
        return sys_unlink(task);
    case 3:
        return sys_link(task, task->fd[fd], 0);
    case 4:
    case 5:
        return sys_link(task, NULL, random_below(3) == 0);
    case 6:
    case 7:
        return sys_open(task, fd);
    case 8:
        return sys_close(task, fd);
    default:
        if (!task->fd[fd])
            return -EBADF;
        task->fd[fd]->path.dentry->inode->size += 100;
        return 0;
    }
}

int main(void)
{
    int i, fd;

    do_mount(0, NULL);
    for (i = 0; i < TASKS; i++)
        path_init(&tasks[i].cwd, mounts[0], mounts[0]->root); /* get: path */
    for (i = 0; i < CALLS; i++)
        failed += do_syscall(&tasks[random_below(TASKS)]) < 0;
    for (i = 0; i < TASKS; i++) {
        for (fd = 0; fd < FDS; fd++)
            sys_close(&tasks[i], fd);
        path_put(&tasks[i].cwd); /* put: path */
    }
    for (i = MOUNTS - 1; i >= 0; i--)
        do_umount(i);
    printf("%ld bytes written, %d calls failed\n", written, failed);
    return 0;
}
