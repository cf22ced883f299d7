/*
 * A driver for virtual disks, as a kernel has it. Disks come and go while files are open. The
 * removal of a disk fails what is queued, and waits for what the hardware has begun. A bio that
 * nobody waits for is given back by its end_io function.
 */
#include <errno.h>
#include <kref.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { MINORS = 4, FILES = 10, SECTORS = 512, ROUNDS = 900 };

struct device {
    struct kref kref;
    struct device *parent;
};

struct bio {
    struct kref refs;
    int sector, status, done;
    void (*end_io)(struct bio *bio);
};

struct vblk_req {
    struct vblk_req *next;
    struct vblk *disk;
    struct bio *bio;
};

struct vblk {
    struct device dev;
    int minor, gone, inflight;
    struct vblk_req *queued, **queue_tail; /* until the next doorbell */
};

/* The adapter. Its interrupt thread handles the ring. */
static struct vhost {
    struct device *dev;
    struct vblk_req *ring, **ring_tail;
    int halted;
} host;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t irq = PTHREAD_COND_INITIALIZER, idle = PTHREAD_COND_INITIALIZER;
static struct vblk *minors[MINORS], *files[FILES];
static int io_errors, no_device, async_done;

static unsigned int get_random(unsigned int ceil)
{
    static unsigned int lfsr = 0xACE1u;

    lfsr = (lfsr >> 1) ^ (-(lfsr & 1u) & 0xD0000001u);
    return (lfsr * 2654435769u >> 7) % ceil;
}

/* The device is the first member of what contains it. */
static void device_release(struct kref *kref)
{
    struct device *dev = kref_entry(kref, struct device, kref);

    if (dev->parent)
        kref_put(&dev->parent->kref, device_release); /* put: parent */
    free(dev);
}

static struct device *get_device(struct device *dev)
{
    kref_get(&dev->kref);
    return dev;
}

static void put_device(struct device *dev)
{
    kref_put(&dev->kref, device_release);
}

static void bio_free(struct kref *kref)
{
    free(kref_entry(kref, struct bio, refs));
}

/* This function and the next two are called with the lock held. */
static void vblk_end_request(struct vblk_req *req, int status)
{
    struct bio *bio = req->bio;

    bio->status = status;
    bio->done = 1;
    if (bio->end_io)
        bio->end_io(bio);
    kref_put(&bio->refs, bio_free); /* put: payload */
    put_device(&req->disk->dev);    /* put: request */
    free(req);
}

static void vblk_doorbell(struct vblk *disk)
{
    for (struct vblk_req *req = disk->queued; req; req = req->next)
        disk->inflight++;
    *host.ring_tail = disk->queued;
    if (disk->queued)
        host.ring_tail = disk->queue_tail;
    disk->queued = NULL;
    disk->queue_tail = &disk->queued;
    pthread_cond_signal(&irq);
}

static int vblk_queue(struct vblk *disk, struct bio *bio)
{
    struct vblk_req *req;

    if (disk->gone)
        return -ENODEV;
    req = calloc(1, sizeof *req);
    req->disk = disk;
    get_device(&disk->dev); /* get: request */
    req->bio = bio;
    kref_get(&bio->refs); /* get: payload */
    *disk->queue_tail = req;
    disk->queue_tail = &req->next;
    return 0;
}

static void *vhost_irq(void *unused)
{
    struct vblk_req *req;

    pthread_mutex_lock(&lock);
    while (host.ring || !host.halted) {
        if (!(req = host.ring)) {
            pthread_cond_wait(&irq, &lock);
            continue;
        }
        if (!(host.ring = req->next))
            host.ring_tail = &host.ring;
        req->disk->inflight--;
        vblk_end_request(req, req->bio->sector % 16 == 13 ? -EIO : 0);
        pthread_cond_broadcast(&idle);
    }
    pthread_mutex_unlock(&lock);
    return unused;
}

static void bio_end_async(struct bio *bio)
{
    io_errors += bio->status < 0;
    async_done++;
    kref_put(&bio->refs, bio_free); /* put: submitter */
}

static int vblk_rw(struct vblk *disk, int sector, int sync)
{
    struct bio *bio = calloc(1, sizeof *bio);
    int err;

    kref_init(&bio->refs); /* get: submitter */
    bio->sector = sector;
    bio->end_io = sync ? NULL : bio_end_async;
    pthread_mutex_lock(&lock);
    err = vblk_queue(disk, bio);
    if (!err && sync) {
        vblk_doorbell(disk);
        while (!bio->done)
            pthread_cond_wait(&idle, &lock);
        err = bio->status;
    }
    if (err || sync)
        kref_put(&bio->refs, bio_free); /* put: submitter */
    pthread_mutex_unlock(&lock);
    return err;
}

static void vblk_probe(int minor)
{
    struct vblk *disk = calloc(1, sizeof *disk);

    kref_init(&disk->dev.kref);              /* get: registered */
    disk->dev.parent = get_device(host.dev); /* get: parent */
    disk->minor = minor;
    disk->queue_tail = &disk->queued;
    minors[minor] = disk;
}

static void vblk_remove(struct vblk *disk)
{
    struct vblk_req *req;

    minors[disk->minor] = NULL;
    pthread_mutex_lock(&lock);
    disk->gone = 1;
    while ((req = disk->queued)) {
        disk->queued = req->next;
        vblk_end_request(req, -ENODEV);
    }
    while (disk->inflight > 0)
        pthread_cond_wait(&idle, &lock);
    pthread_mutex_unlock(&lock);
    put_device(&disk->dev); /* put: registered */
}

static struct vblk *vblk_lookup(int minor)
{
    return minors[minor] ? (struct vblk *)get_device(&minors[minor]->dev) : NULL;
}

static void vblk_close(int fd)
{
    if (files[fd])
        put_device(&files[fd]->dev); /* put: file */
    files[fd] = NULL;
}

static void vblk_sync(int minor)
{
    struct vblk *disk = vblk_lookup(minor); /* get: sync */

    if (!disk)
        return;
    pthread_mutex_lock(&lock);
    vblk_doorbell(disk);
    while (disk->inflight > 0)
        pthread_cond_wait(&idle, &lock);
    pthread_mutex_unlock(&lock);
    put_device(&disk->dev); /* put: sync */
}

static void step(int fd, int minor)
{
    switch (get_random(18)) {
    case 0:
        if (minors[minor])
            vblk_remove(minors[minor]);
        break;
    case 1:
    case 2:
        if (!minors[minor])
            vblk_probe(minor);
        break;
    case 3:
    case 4:
        vblk_close(fd);
        files[fd] = vblk_lookup(minor); /* get: file */
        break;
    case 5:
        vblk_sync(minor);
        break;
    default:
        if (files[fd])
            no_device += vblk_rw(files[fd], get_random(SECTORS), get_random(4) == 0) == -ENODEV;
    }
}

int main(void)
{
    pthread_t thread;
    int i;

    host.dev = calloc(1, sizeof *host.dev);
    kref_init(&host.dev->kref); /* get: module */
    host.ring_tail = &host.ring;
    if (pthread_create(&thread, NULL, vhost_irq, NULL))
        return 1;
    for (i = 0; i < ROUNDS; i++)
        step(get_random(FILES), get_random(MINORS));
    for (i = 0; i < MINORS; i++)
        if (minors[i])
            vblk_remove(minors[i]);
    for (i = 0; i < FILES; i++)
        vblk_close(i);
    pthread_mutex_lock(&lock);
    host.halted = 1;
    pthread_cond_signal(&irq);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    put_device(host.dev); /* put: module */
    printf("%d errors, %d without a device, %d asynchronous\n", io_errors, no_device, async_done);
    return 0;
}
