/*
 * The images of a game. Two threads load them from pak files, which may be mounted anew at any
 * time. The index has no references: the last put takes an image out of it. A list keeps those that
 * were used last, so that they need not be loaded again. A detail image needs its base image.
 */
#include <kref.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEYS = 96, PAKS = 4, CACHED = 12, VISIBLE = 7, JOBS = 64, FRAMES = 500 };

typedef struct {
    struct kref refs;
    int version;
} pak_t;

typedef struct image_s {
    struct kref refs;
    int key, loaded, texels; /* texels: 0 if it could not be loaded */
    pak_t *pak;
    struct image_s *base;
    struct image_s *older, *newer; /* in the list */
} image_t;

static pthread_mutex_t pak_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t image_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t job_cond = PTHREAD_COND_INITIALIZER, done_cond = PTHREAD_COND_INITIALIZER;
static pak_t *mounted[PAKS];
static image_t *images[KEYS], *jobs[JOBS];
static unsigned job_head, job_tail;
static int quitting;

/* Of the main thread. */
static image_t lru = { .older = &lru, .newer = &lru }, *visible[VISIBLE];
static int cached, failures;
static long drawn;

static unsigned Com_Random(unsigned n)
{
    static unsigned seed = 0x1337;

    seed = seed * 214013 + 2531011;
    return (seed >> 16) % n;
}

static void Pak_Free(struct kref *refs)
{
    free(kref_entry(refs, pak_t, refs));
}

static void Pak_Unmount(int i)
{
    pak_t *old;

    pthread_mutex_lock(&pak_lock);
    old = mounted[i];
    mounted[i] = NULL;
    pthread_mutex_unlock(&pak_lock);
    if (old)
        kref_put(&old->refs, Pak_Free); /* put: mount */
}

static void Pak_Mount(int i, int version)
{
    pak_t *pak = calloc(1, sizeof *pak);

    kref_init(&pak->refs); /* get: mount */
    pak->version = version;
    Pak_Unmount(i);
    pthread_mutex_lock(&pak_lock);
    mounted[i] = pak;
    pthread_mutex_unlock(&pak_lock);
}

static struct kref *Pak_Find(void *key)
{
    pak_t *pak = mounted[*(int *)key % PAKS];

    return pak ? &pak->refs : NULL;
}

static struct kref *Image_Find(void *key)
{
    image_t *image = images[*(int *)key];

    return image ? &image->refs : NULL;
}

/* Called with image_lock held. */
static void Image_Free(struct kref *refs)
{
    image_t *image = kref_entry(refs, image_t, refs);

    if (images[image->key] == image)
        images[image->key] = NULL;
    pthread_mutex_unlock(&image_lock);
    if (image->pak)
        kref_put(&image->pak->refs, Pak_Free); /* put: source */
    if (image->base)
        kref_put_mutex(&image->base->refs, Image_Free, &image_lock); /* put: base */
    free(image);
}

static void Image_Release(image_t *image)
{
    kref_put_mutex(&image->refs, Image_Free, &image_lock);
}

static int Image_Wait(image_t *image)
{
    int texels;

    pthread_mutex_lock(&image_lock);
    while (!image->loaded)
        pthread_cond_wait(&done_cond, &image_lock);
    texels = image->texels;
    pthread_mutex_unlock(&image_lock);
    return texels;
}

static void Loader_Load(image_t *image)
{
    struct kref *refs = kref_lookup_mutex(&pak_lock, Pak_Find, &image->key); /* get: source */
    pak_t *pak = kref_entry(refs, pak_t, refs);
    int texels = image->base ? Image_Wait(image->base) : 0;

    if (pak && (pak->version + image->key) % 11 == 0) {
        kref_put(&pak->refs, Pak_Free); /* put: source */
        pak = NULL;
    }
    pthread_mutex_lock(&image_lock);
    image->pak = pak;
    image->texels = pak ? texels + (16 << image->key % 5) : 0;
    image->loaded = 1;
    if (!pak)
        images[image->key] = NULL;
    pthread_cond_broadcast(&done_cond);
    pthread_mutex_unlock(&image_lock);
}

static void *Loader_Thread(void *unused)
{
    image_t *image;

    for (;;) {
        pthread_mutex_lock(&image_lock);
        while (job_head == job_tail && !quitting)
            pthread_cond_wait(&job_cond, &image_lock);
        image = job_head == job_tail ? NULL : jobs[job_head++ % JOBS];
        pthread_mutex_unlock(&image_lock);
        if (!image)
            return unused;
        Loader_Load(image);
        Image_Release(image); /* put: job */
    }
}

/* The caller gets a reference. The image may be loading still. */
static image_t *Image_Get(int key)
{
    struct kref *refs = kref_lookup_mutex(&image_lock, Image_Find, &key);
    image_t *image = kref_entry(refs, image_t, refs);

    if (image)
        return image;
    image = calloc(1, sizeof *image);
    kref_init(&image->refs);
    image->key = key;
    if (key % 3 == 2)
        image->base = Image_Get(key - 2); /* get: base */
    pthread_mutex_lock(&image_lock);
    images[key] = image;
    kref_get(&image->refs); /* get: job */
    jobs[job_tail++ % JOBS] = image;
    pthread_cond_signal(&job_cond);
    pthread_mutex_unlock(&image_lock);
    return image;
}

static void Lru_Unlink(image_t *image)
{
    image->older->newer = image->newer;
    image->newer->older = image->older;
    image->older = image->newer = NULL;
    cached--;
}

static void Lru_Touch(image_t *image)
{
    if (image->older)
        Lru_Unlink(image);
    else
        kref_get(&image->refs); /* get: lru */
    cached++;
    image->older = lru.older;
    image->newer = &lru;
    lru.older->newer = image;
    lru.older = image;
}

static void Lru_Shrink(int most)
{
    while (cached > most) {
        image_t *oldest = lru.newer;

        Lru_Unlink(oldest);
        Image_Release(oldest); /* put: lru */
    }
}

static void Lru_Forget(image_t *image)
{
    if (!image->older)
        return;
    Lru_Unlink(image);
    Image_Release(image); /* put: lru */
}

static void R_DrawFrame(void)
{
    for (image_t **slot = visible; slot < visible + VISIBLE; slot++) {
        int texels = *slot ? Image_Wait(*slot) : 0;

        drawn += texels;
        if (!*slot || texels)
            continue;
        failures++;
        Lru_Forget(*slot);
        Image_Release(*slot); /* put: visible */
        *slot = NULL;
    }
}

static void R_Show(image_t **slot, int key)
{
    if (*slot)
        Image_Release(*slot); /* put: visible */
    *slot = Image_Get(key); /* get: visible */
    Lru_Touch(*slot);
}

static void R_Prefetch(int key)
{
    image_t *image = Image_Get(key); /* get: prefetch */

    Lru_Touch(image);
    Image_Release(image); /* put: prefetch */
}

static int UI_Thumbnail(int key)
{
    image_t *image = Image_Get(key); /* get: thumbnail */
    int texels = Image_Wait(image);

    Image_Release(image); /* put: thumbnail */
    return texels / 4;
}

int main(void)
{
    pthread_t loaders[2];
    int i;

    for (i = 0; i < PAKS; i++)
        Pak_Mount(i, i);
    for (i = 0; i < 2; i++)
        if (pthread_create(&loaders[i], NULL, Loader_Thread, NULL))
            return 1;
    for (i = 0; i < FRAMES; i++) {
        R_Show(&visible[Com_Random(VISIBLE)], (i / 8 + Com_Random(24)) % KEYS);
        R_Prefetch((i / 8 + 24 + Com_Random(4)) % KEYS);
        if (i % 7 == 3)
            drawn += UI_Thumbnail(Com_Random(KEYS));
        R_DrawFrame();
        Lru_Shrink(CACHED);
        if (i % 40 == 39)
            Pak_Mount(Com_Random(PAKS), i);
    }
    for (i = 0; i < VISIBLE; i++)
        if (visible[i])
            Image_Release(visible[i]); /* put: visible */
    Lru_Shrink(0);
    pthread_mutex_lock(&image_lock);
    quitting = 1;
    pthread_cond_broadcast(&job_cond);
    pthread_mutex_unlock(&image_lock);
    for (i = 0; i < 2; i++)
        pthread_join(loaders[i], NULL);
    for (i = 0; i < PAKS; i++)
        Pak_Unmount(i);
    printf("%ld texels drawn, %d failures\n", drawn, failures);
    return 0;
}
