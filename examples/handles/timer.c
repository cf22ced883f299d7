/*
 * timer.c - timers: the argument of a timer is the handle of a job, and no pointer.
 *
 *   cc timer.c $(pkg-config --cflags --libs kref) -o timer && ./timer
 *
 * Each job has a timer that reports the job when it takes too long. Most jobs end before. Then the timer still
 * fires, and the job is gone. With a pointer, the end of a job must cancel the timer, and must wait for a timer
 * that fires at this moment. With a reference, each job lives until its timer fires. With a handle, the timer
 * finds nothing, not even a new job in the same memory, and nobody has to cancel it.
 */
#include <kref.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define JOBS 4

struct job {
    struct kref kref;
    int number;
    char name[16];
};

static int ended;

static void job_cleanup(struct job *job)
{
    printf("%s: ended\n", job->name);
    ended++;
}

KREF_POOL_DEFINE(job, struct job, kref, job_cleanup);

/* A timer: the kernel's, and what to do when it fires. The argument is 64 bits: a handle fits. */
struct timer {
    int fd;
    void (*fire)(uint64_t arg);
    uint64_t arg;
};

static int timer_start(struct timer *timer, long nanoseconds, void (*fire)(uint64_t arg), uint64_t arg)
{
    struct itimerspec when;

    memset(&when, 0, sizeof when);
    when.it_value.tv_nsec = nanoseconds;
    timer->fire = fire;
    timer->arg = arg;
    timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    return timer->fd < 0 ? -1 : timerfd_settime(timer->fd, 0, &when, NULL);
}

/* Waits until the timer fires. */
static int timer_wait(struct timer *timer)
{
    uint64_t times;
    int error = read(timer->fd, &times, sizeof times) != sizeof times;

    close(timer->fd);
    if (!error)
        timer->fire(timer->arg);
    return error;
}

static int late, gone;

static void job_is_late(uint64_t handle)
{
    struct job *job = job_by_handle(handle); /* rule 3: with a reference, or NULL */

    if (!job) {
        printf("a timer fires, and its job is gone\n");
        gone++;
        return;
    }
    printf("a timer fires: %s takes too long\n", job->name);
    late++;
    job_unref(job);
}

static struct job *job_new(int number)
{
    struct job *job = job_alloc();

    if (!job)
        return NULL;
    job->number = number;
    snprintf(job->name, sizeof job->name, "job %d", number);
    job_publish(job); /* one reference: the caller's */
    return job;
}

int main(void)
{
    struct timer timers[JOBS];
    struct job *jobs[JOBS];
    int i, errors = 0;

    for (i = 0; i < JOBS; i++) {
        jobs[i] = job_new(i);
        if (!jobs[i] || timer_start(&timers[i], 1, job_is_late, job_handle(jobs[i])))
            return 1;
    }
    for (i = 0; i < JOBS; i += 2) {
        job_unref(jobs[i]); /* jobs 0 and 2 end, and leave their timers alone */
        jobs[i] = job_new(JOBS + i); /* often in the same memory */
        if (!jobs[i])
            return 1;
    }
    for (i = 0; i < JOBS; i++)
        errors += timer_wait(&timers[i]);
    for (i = 0; i < JOBS; i++)
        job_unref(jobs[i]);
    printf("%d jobs were late, %d were gone\n", late, gone);
    if (errors || late != JOBS / 2 || gone != JOBS / 2 || ended != JOBS + JOBS / 2)
        return 1;
    return kref_pool_destroy(&job_pool) ? 1 : 0;
}
