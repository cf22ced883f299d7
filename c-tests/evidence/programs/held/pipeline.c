/*
 * Three threads in a row: one decodes pictures, one scales them, one shows them. A picture moves
 * with its reference; the scaler keeps the last one for a comparison, the decoder its reference
 * pictures.
 */
#include <kref.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { PICTURES = 120, DEPTH = 6, KEPT = 3 };

struct picture {
    struct kref kref;
    int number, light;
};

struct pipe {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct picture *ring[DEPTH];
    unsigned in, out;
    int closed;
};

#define PIPE_INIT { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, { NULL }, 0, 0, 0 }

static struct pipe decoded = PIPE_INIT, scaled = PIPE_INIT;
static int scenes, shown;
static long light;

static void picture_release(struct kref *kref)
{
    free(kref_entry(kref, struct picture, kref));
}

static void picture_put(struct picture *picture)
{
    kref_put(&picture->kref, picture_release);
}

static struct picture *picture_hold(struct picture *picture)
{
    kref_get(&picture->kref);
    return picture;
}

/* The pipe owns the reference from here on. */
static void pipe_write(struct pipe *pipe, struct picture *picture)
{
    pthread_mutex_lock(&pipe->lock);
    while (pipe->in - pipe->out == DEPTH)
        pthread_cond_wait(&pipe->changed, &pipe->lock);
    pipe->ring[pipe->in++ % DEPTH] = picture;
    pthread_cond_broadcast(&pipe->changed);
    pthread_mutex_unlock(&pipe->lock);
}

/* The caller owns the reference of what is returned. */
static struct picture *pipe_read(struct pipe *pipe)
{
    struct picture *picture = NULL;

    pthread_mutex_lock(&pipe->lock);
    while (pipe->in == pipe->out && !pipe->closed)
        pthread_cond_wait(&pipe->changed, &pipe->lock);
    if (pipe->in != pipe->out)
        picture = pipe->ring[pipe->out++ % DEPTH];
    pthread_cond_broadcast(&pipe->changed);
    pthread_mutex_unlock(&pipe->lock);
    return picture;
}

static void pipe_close(struct pipe *pipe)
{
    pthread_mutex_lock(&pipe->lock);
    pipe->closed = 1;
    pthread_cond_broadcast(&pipe->changed);
    pthread_mutex_unlock(&pipe->lock);
}

static struct picture *decode(int number, struct picture *base)
{
    struct picture *picture = calloc(1, sizeof *picture);

    if (!picture)
        abort();
    kref_init(&picture->kref); /* get: stream */
    picture->number = number;
    picture->light = number * 37 % 100 + (base ? base->light / 4 : 0);
    return picture;
}

static void *decoder(void *unused)
{
    struct picture *kept[KEPT] = { NULL };
    int i;

    for (i = 0; i < PICTURES; i++) {
        struct picture *picture = decode(i, kept[i * 2 % KEPT]);

        if (i % 5 == 0) {
            struct picture **place = &kept[i / 5 % KEPT];

            if (*place)
                picture_put(*place); /* put: reference picture */
            *place = picture_hold(picture); /* get: reference picture */
        }
        if (i % 17 == 16)
            picture_put(picture); /* put: stream */
        else
            pipe_write(&decoded, picture);
    }
    for (i = 0; i < KEPT; i++)
        picture_put(kept[i]); /* put: reference picture */
    pipe_close(&decoded);
    return unused;
}

static void *scaler(void *unused)
{
    struct picture *picture, *last = NULL;

    while ((picture = pipe_read(&decoded))) {
        if (last && abs(last->light - picture->light) > 50)
            scenes++;
        if (last)
            picture_put(last); /* put: last */
        last = picture_hold(picture); /* get: last */
        pipe_write(&scaled, picture);
    }
    picture_put(last); /* put: last */
    pipe_close(&scaled);
    return unused;
}

static void show(void)
{
    struct picture *picture, *frozen = NULL;

    while ((picture = pipe_read(&scaled))) {
        light += picture->light;
        shown++;
        if (picture->number % 20 == 3) {
            if (frozen)
                picture_put(frozen); /* put: frozen */
            frozen = picture_hold(picture); /* get: frozen */
        }
        picture_put(picture); /* put: stream */
    }
    picture_put(frozen); /* put: frozen */
}

int main(void)
{
    pthread_t threads[2];

    if (pthread_create(&threads[0], NULL, decoder, NULL))
        return 1;
    if (pthread_create(&threads[1], NULL, scaler, NULL))
        return 1;
    show();
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    printf("%d shown, %d scenes, %ld\n", shown, scenes, light);
    return 0;
}
