/*
 * Worker threads take jobs from a queue and leave the results in another one. A job belongs to
 * who submitted it, to the queue, and to the batch in which it is counted.
 */
#include <kref.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORKERS = 3, BATCHES = 12, SIZE = 8 };

struct job {
    struct kref kref;
    struct batch *batch;
    struct job *next;
    long input, result;
};

struct batch {
    struct kref kref;
    int left;
    long sum;
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct job *first, **last;
    int closed;
};

static struct queue todo = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL,
                             &todo.first, 0 };
static pthread_mutex_t sums = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t batch_done = PTHREAD_COND_INITIALIZER;

static void batch_release(struct kref *kref)
{
    free(kref_entry(kref, struct batch, kref));
}

static void job_release(struct kref *kref)
{
    struct job *job = kref_entry(kref, struct job, kref);

    kref_put(&job->batch->kref, batch_release); /* put: member */
    free(job);
}

static void push(struct queue *queue, struct job *job)
{
    kref_get(&job->kref); /* get: queue */
    pthread_mutex_lock(&queue->lock);
    job->next = NULL;
    *queue->last = job;
    queue->last = &job->next;
    pthread_cond_signal(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

static struct job *pop(struct queue *queue)
{
    struct job *job;

    pthread_mutex_lock(&queue->lock);
    while (!queue->first && !queue->closed)
        pthread_cond_wait(&queue->filled, &queue->lock);
    job = queue->first;
    if (job && !(queue->first = job->next))
        queue->last = &queue->first;
    pthread_mutex_unlock(&queue->lock);
    return job;
}

static long fibonacci(long n)
{
    long a = 0, b = 1, next;

    for (; n > 0; n--, a = b, b = next)
        next = (a + b) % 1000003;
    return a;
}

static void finish(struct job *job)
{
    struct batch *batch = job->batch;

    pthread_mutex_lock(&sums);
    batch->sum += job->result;
    if (--batch->left == 0)
        pthread_cond_signal(&batch_done);
    pthread_mutex_unlock(&sums);
}

static void *work(void *unused)
{
    struct job *job;

    (void)unused;
    while ((job = pop(&todo))) {
        job->result = fibonacci(job->input);
        finish(job);
        kref_put(&job->kref, job_release); /* put: queue */
    }
    return NULL;
}

static struct job *job_new(struct batch *batch, long input)
{
    struct job *job = malloc(sizeof *job);

    if (!job)
        abort();
    kref_init(&job->kref); /* get: submitter */
    job->input = input;
    job->batch = batch;
    kref_get(&batch->kref); /* get: member */
    return job;
}

static long run_batch(int number)
{
    struct batch *batch = malloc(sizeof *batch);
    struct job *jobs[SIZE];
    long sum;
    int i;

    if (!batch)
        abort();
    kref_init(&batch->kref); /* get: round */
    batch->left = SIZE;
    batch->sum = 0;
    for (i = 0; i < SIZE; i++) {
        jobs[i] = job_new(batch, 100 * number + i);
        push(&todo, jobs[i]);
    }
    pthread_mutex_lock(&sums);
    while (batch->left)
        pthread_cond_wait(&batch_done, &sums);
    sum = batch->sum;
    pthread_mutex_unlock(&sums);
    for (i = 0; i < SIZE; i++)
        kref_put(&jobs[i]->kref, job_release); /* put: submitter */
    kref_put(&batch->kref, batch_release); /* put: round */
    return sum;
}

int main(void)
{
    pthread_t workers[WORKERS];
    long sum = 0;
    int i;

    for (i = 0; i < WORKERS; i++)
        if (pthread_create(&workers[i], NULL, work, NULL))
            return 1;
    for (i = 0; i < BATCHES; i++)
        sum += run_batch(i);
    pthread_mutex_lock(&todo.lock);
    todo.closed = 1;
    pthread_cond_broadcast(&todo.filled);
    pthread_mutex_unlock(&todo.lock);
    for (i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    printf("%ld\n", sum);
    return 0;
}
