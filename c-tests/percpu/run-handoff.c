/*
 * Rules 1 and 2 with a percpu_ref: threads hold references on a server, which is killed while they
 * work. The release function sees the writes of all threads, and frees the server.
 *
 * tools: tsan
 */
#include "check.h"

#define WORKERS 4
#define ROUNDS 200

struct server {
    struct percpu_ref ref;
    int jobs[WORKERS]; /* each worker writes its own element, without a lock */
};

struct worker {
    struct server *server;
    int number;
};

static int servers, jobs;

static void release(struct percpu_ref *ref)
{
    struct server *server = (struct server *)ref; /* its first member */
    int i;

    for (i = 0; i < WORKERS; i++)
        jobs += server->jobs[i];
    percpu_ref_exit(ref);
    free(server);
    servers++;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct server *server = worker->server;

    while (percpu_ref_tryget_live(&server->ref)) {
        server->jobs[worker->number]++;
        percpu_ref_put(&server->ref);
    }
    server->jobs[worker->number]++;
    percpu_ref_put(&server->ref);
    return NULL;
}

static void one_life(int round)
{
    struct server *server = calloc(1, sizeof *server);
    struct worker workers[WORKERS];
    pthread_t threads[WORKERS];
    int i;

    CHECK(server && !percpu_ref_init(&server->ref, release, 0));
    for (i = 0; i < WORKERS; i++) {
        workers[i].server = server;
        workers[i].number = i;
        percpu_ref_get(&server->ref); /* rule 1 */
        start(&threads[i], work, &workers[i]);
    }
    percpu_ref_kill(&server->ref);
    for (i = 0; i < WORKERS; i++)
        join(threads[i]);
    CHECK(servers == round + 1 && jobs >= (round + 1) * WORKERS);
}

int main(void)
{
    int round;

    for (round = 0; round < ROUNDS; round++)
        one_life(round);
    return 0;
}
