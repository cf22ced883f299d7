/*
 * A build scheduler. A job becomes ready when the jobs that it waits for are done. The jobs of a
 * plan are cancelled together, by hand or when the plan's deadline has passed.
 */
#include <kref.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define PLANS 36
#define JOBS_OF_PLAN 14
#define MAX_WAITERS 6

struct plan {
    struct kref refs;
    int cancelled, unfinished;
    long score;
};

struct job {
    struct kref refs;
    struct plan *plan;
    struct job *next;
    struct job *waiters[MAX_WAITERS];
    int waiter_count, blockers, id;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t work, finished;
    struct job *ready;
    int stopping;
} S = { .lock = PTHREAD_MUTEX_INITIALIZER,
        .work = PTHREAD_COND_INITIALIZER,
        .finished = PTHREAD_COND_INITIALIZER };

static struct plan *overdue[3]; /* the main thread's alone: who is cancelled, by the turn */

static void plan_release(struct kref *refs)
{
    free(kref_entry(refs, struct plan, refs));
}

static void job_release(struct kref *refs)
{
    struct job *job = kref_entry(refs, struct job, refs);

    kref_put(&job->plan->refs, plan_release); /* put: membership */
    free(job);
}

static int roll(int sides)
{
    static unsigned seed = 20231;

    seed = seed * 1103515245 + 12345;
    return (int)(seed >> 16) % sides;
}

/* With the lock held. */
static void unblock(struct job *job)
{
    if (--job->blockers > 0)
        return;
    kref_get(&job->refs); /* get: ready list */
    job->next = S.ready;
    S.ready = job;
    pthread_cond_signal(&S.work);
}

static struct job *next_ready(void)
{
    struct job *job;

    pthread_mutex_lock(&S.lock);
    while (!S.ready && !S.stopping)
        pthread_cond_wait(&S.work, &S.lock);
    job = S.ready;
    if (job)
        S.ready = job->next;
    pthread_mutex_unlock(&S.lock);
    return job;
}

/* Unblocks those that wait for the job. */
static void retire(struct job *job, long score)
{
    struct job *woken[MAX_WAITERS];
    int i, n;

    pthread_mutex_lock(&S.lock);
    n = job->waiter_count;
    for (i = 0; i < n; i++) {
        woken[i] = job->waiters[i];
        unblock(woken[i]);
    }
    job->waiter_count = 0;
    job->plan->score += job->plan->cancelled ? 0 : score;
    if (--job->plan->unfinished == 0)
        pthread_cond_broadcast(&S.finished);
    pthread_mutex_unlock(&S.lock);
    for (i = 0; i < n; i++)
        kref_put(&woken[i]->refs, job_release); /* put: edge */
}

static long execute(long n)
{
    return n < 2 ? 1 : 1 + execute(n % 2 ? 3 * n + 1 : n / 2);
}

static void *worker(void *unused)
{
    struct job *job;

    (void)unused;
    while ((job = next_ready()) != NULL) {
        retire(job, execute(job->id));
        kref_put(&job->refs, job_release); /* put: ready list */
    }
    return NULL;
}

/* What is ready is retired here; what is not gets ready, and a worker's result does not count. */
static void cancel(struct plan *plan)
{
    struct job **at, *job;

    do {
        pthread_mutex_lock(&S.lock);
        plan->cancelled = 1;
        for (at = &S.ready; *at && (*at)->plan != plan; at = &(*at)->next)
            continue;
        job = *at;
        if (job)
            *at = job->next;
        pthread_mutex_unlock(&S.lock);
        if (job) {
            retire(job, 0);
            kref_put(&job->refs, job_release); /* put: ready list */
        }
    } while (job);
}

static struct job *job_create(struct plan *plan, int id)
{
    struct job *job = calloc(1, sizeof *job);

    if (!job)
        abort();
    kref_init(&job->refs); /* get: author */
    job->id = id;
    job->blockers = 1; /* until it is submitted */
    job->plan = plan;
    kref_get(&plan->refs); /* get: membership */
    plan->unfinished++;
    return job;
}

static void wait_for(struct job *job, struct job *other)
{
    if (other->waiter_count == MAX_WAITERS)
        return;
    kref_get(&job->refs); /* get: edge */
    other->waiters[other->waiter_count++] = job;
    job->blockers++;
}

static void expire(int turn)
{
    struct plan *plan = overdue[turn % 3];

    if (!plan)
        return;
    overdue[turn % 3] = NULL;
    cancel(plan);
    kref_put(&plan->refs, plan_release); /* put: deadline */
}

static void set_deadline(struct plan *plan, int turn)
{
    expire(turn);
    kref_get(&plan->refs); /* get: deadline */
    overdue[turn % 3] = plan;
}

static long run_plan(int number)
{
    struct plan *plan = calloc(1, sizeof *plan);
    struct job *jobs[JOBS_OF_PLAN];
    long score;
    int i;

    if (!plan)
        abort();
    kref_init(&plan->refs); /* get: caller */
    for (i = 0; i < JOBS_OF_PLAN; i++) {
        jobs[i] = job_create(plan, number * JOBS_OF_PLAN + i);
        if (i > 0)
            wait_for(jobs[i], jobs[roll(i)]);
        if (i > 4)
            wait_for(jobs[i], jobs[i / 2]);
    }
    if (number % 2)
        set_deadline(plan, number + roll(3));
    pthread_mutex_lock(&S.lock);
    for (i = 0; i < JOBS_OF_PLAN; i++)
        unblock(jobs[i]);
    pthread_mutex_unlock(&S.lock);
    for (i = 0; i < JOBS_OF_PLAN; i++)
        kref_put(&jobs[i]->refs, job_release); /* put: author */
    expire(number);
    if (number % 7 == 3)
        cancel(plan);
    pthread_mutex_lock(&S.lock);
    while (plan->unfinished > 0)
        pthread_cond_wait(&S.finished, &S.lock);
    score = plan->score;
    pthread_mutex_unlock(&S.lock);
    kref_put(&plan->refs, plan_release); /* put: caller */
    return score;
}

int main(void)
{
    pthread_t threads[2];
    long score = 0;
    int i;

    for (i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, worker, NULL) != 0)
            return 1;
    for (i = 0; i < PLANS; i++)
        score += run_plan(i);
    for (i = 0; i < 3; i++)
        expire(i);
    pthread_mutex_lock(&S.lock);
    S.stopping = 1;
    pthread_cond_broadcast(&S.work);
    pthread_mutex_unlock(&S.lock);
    for (i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    printf("%s\n", score > 0 ? "built" : "nothing built");
    return 0;
}
