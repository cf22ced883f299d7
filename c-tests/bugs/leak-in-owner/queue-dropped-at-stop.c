/*
 * Workers take jobs from a queue until they are told to stop. The jobs that are in the queue then are
 * forgotten with their references. Seen in nearly every thread pool: tests wait until the queue is empty.
 *
 * found by: leak
 */
#include "check.h"

#define ROOM 16

struct job {
    int number;
    struct kref kref;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct job *queue[ROOM];
static unsigned int added, removed, done;

static void job_release(struct kref *kref)
{
    free(kref_entry(kref, struct job, kref));
}

static void submit(struct job *job)
{
    kref_get(&job->kref); /* BLAME */
    pthread_mutex_lock(&lock);
    queue[added++ % ROOM] = job;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void *work(void *unused)
{
    while (done < 4) {
        struct job *job;

        pthread_mutex_lock(&lock);
        while (added == removed)
            pthread_cond_wait(&changed, &lock);
        job = queue[removed++ % ROOM];
        pthread_mutex_unlock(&lock);
        done++;
        kref_put(&job->kref, job_release);
    }
    return unused;
}

int main(void)
{
    pthread_t thread;

    start(&thread, work, NULL);
    for (int i = 0; i < 6; i++) {
        struct job *job = calloc(1, sizeof *job);

        CHECK(job);
        kref_init(&job->kref);
        job->number = i;
        submit(job);
        kref_put(&job->kref, job_release);
    }
    join(thread);
#ifdef RIGHT
    while (removed < added)
        kref_put(&queue[removed++ % ROOM]->kref, job_release); /* FIX */
#endif
    return 0;
}
