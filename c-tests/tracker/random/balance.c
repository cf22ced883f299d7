/*
 * Random gets and puts whose balance is known: balance SEED ROUNDS. In each round three threads use objects at the same
 * time and signal handlers interrupt them, and in some rounds a child is forked that uses the objects, too. After each
 * round everybody waits, and the program prints a line with what is held, and then a report as JSON: both are one line.
 *
 * Each thread creates objects in places of its own, and takes references on those that it has a reference on. Between
 * the rounds references change hands. Each reference has one of three names, but the creator's has none. A child uses
 * three other names, since a report leaves out what its parent has taken.
 */
#include "../../harness/check.h"
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#define THREADS 3
#define PLACES 8 /* of each thread */
#define OBJECTS (THREADS * PLACES)
#define MOST 400 /* references of a thread */
#define TYPES 3
#define CREATOR 0
#define NAMES 8

static const char *const types[TYPES] = { "red", "green", "blue" };
static const char *const names[NAMES] = { NULL, "a", "b", "c", "x", "y", "z", "signal" };
enum { PARENTS = 1, CHILDS = 4, SIGNALS = 7 };

static struct object {
    struct kref kref;
    int type, lives;
} objects[OBJECTS], anchors[THREADS];

struct reference {
    struct object *object;
    int name;
    int is_old; /* in a child: the parent has taken it */
};

static struct worker {
    pthread_t thread;
    struct reference held[MOST];
    int length, first_name;
    unsigned long long state; /* of the random numbers */
    unsigned int handled;
    int kept; /* by the handler */
} workers[THREADS];

static pthread_barrier_t begin, end;
static int stop;
static unsigned long long main_state;
static __thread struct worker *self;

static unsigned int draw(unsigned long long *state, unsigned int below)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (unsigned int)((*state >> 32) % below);
}

static void release(struct kref *kref)
{
    __atomic_store_n(&kref_entry(kref, struct object, kref)->lives, 0, __ATOMIC_RELEASE);
}

static void hold(struct worker *worker, struct object *object, int name)
{
    worker->held[worker->length++] = (struct reference){ object, name, 0 };
}

static void create(struct worker *worker, int who)
{
    struct object *object = &objects[who * PLACES + draw(&worker->state, PLACES)];

    if (__atomic_load_n(&object->lives, __ATOMIC_ACQUIRE))
        return;
    object->lives = 1;
    object->type = draw(&worker->state, TYPES);
    kref_init_as(&object->kref, types[object->type]);
    hold(worker, object, CREATOR);
}

static void get(struct worker *worker)
{
    struct object *object = worker->held[draw(&worker->state, worker->length)].object;
    int name = worker->first_name + draw(&worker->state, 3);

    kref_get_as(&object->kref, names[name]);
    hold(worker, object, name);
}

static void put(struct worker *worker)
{
    int place = draw(&worker->state, worker->length);
    struct reference reference = worker->held[place];

    worker->held[place] = worker->held[--worker->length];
    if (reference.name == CREATOR)
        kref_put(&reference.object->kref, release);
    else
        kref_put_as(&reference.object->kref, release, names[reference.name]);
}

static void work(struct worker *worker, int who, int steps)
{
    while (steps-- > 0) {
        unsigned int what = draw(&worker->state, 10);

        if (worker->length == 0 || what == 0)
            create(worker, who);
        else if (what < 5 || worker->length > MOST - 2)
            put(worker);
        else
            get(worker);
    }
}

static void handle(int signal)
{
    struct object *anchor = &anchors[self - workers];

    (void)signal;
    kref_get_as(&anchor->kref, names[SIGNALS]);
    if (self->handled % 3 == 2) {
        kref_put_as(&anchor->kref, release, names[SIGNALS]);
    } else {
        self->kept++;
    }
    __atomic_add_fetch(&self->handled, 1, __ATOMIC_RELEASE);
}

static void *run(void *worker)
{
    self = worker;
    for (;;) {
        pthread_barrier_wait(&begin);
        if (stop)
            return NULL;
        work(self, (int)(self - workers), 50 + draw(&self->state, 100));
        pthread_barrier_wait(&end);
    }
}

/* References change hands. */
static void hand_over(void)
{
    for (int i = 0; i < 20; i++) {
        struct worker *from = &workers[draw(&main_state, THREADS)], *to = &workers[draw(&main_state, THREADS)];

        if (from->length == 0 || to->length > MOST - 2)
            continue;
        to->held[to->length++] = from->held[--from->length];
    }
}

/* What is held, of objects by type, and of references by type and name. */
static struct {
    int objects[TYPES + 1], references[TYPES + 1][NAMES];
} truth;

/* Adds the references on an object that this process has taken. */
static void count_object(const struct object *object)
{
    int all = 0;

    for (int w = 0; w < THREADS; w++)
        for (int r = 0; r < workers[w].length; r++) {
            const struct reference *reference = &workers[w].held[r];

            if (reference->object != object || reference->is_old)
                continue;
            all++;
            truth.references[object->type][reference->name]++;
        }
    truth.objects[object->type] += all > 0;
}

static void count_anchors(int is_child)
{
    for (int w = 0; w < THREADS && !is_child; w++) {
        truth.objects[TYPES]++;
        truth.references[TYPES][CREATOR]++;
        truth.references[TYPES][SIGNALS] += workers[w].kept;
    }
}

static void print_truth(void)
{
    for (int type = 0; type <= TYPES; type++) {
        printf("%s=%d", type < TYPES ? types[type] : "anchor", truth.objects[type]);
        for (int name = 0; name < NAMES; name++)
            printf(" %s:%d", names[name] ? names[name] : "creator", truth.references[type][name]);
        printf(";");
    }
    printf("\n");
    fflush(stdout);
}

static void checkpoint(int is_child)
{
    memset(&truth, 0, sizeof truth);
    for (int i = 0; i < OBJECTS; i++)
        count_object(&objects[i]);
    count_anchors(is_child);
    print_truth();
    kref_track_report(STDOUT_FILENO);
}

static void fork_a_child(void)
{
    pid_t pid = fork();
    int status;

    CHECK(pid >= 0);
    if (pid == 0) {
        for (int w = 0; w < THREADS; w++) {
            for (int r = 0; r < workers[w].length; r++)
                workers[w].held[r].is_old = 1;
            workers[w].first_name = CHILDS;
        }
        for (int w = 0; w < THREADS; w++)
            work(&workers[w], w, 100);
        checkpoint(1);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void one_round(void)
{
    unsigned int sent[THREADS];

    for (int w = 0; w < THREADS; w++)
        sent[w] = workers[w].handled;
    pthread_barrier_wait(&begin);
    for (int i = draw(&main_state, 8); i > 0; i--) {
        int w = draw(&main_state, THREADS);

        /* Signals that wait become one. */
        while (__atomic_load_n(&workers[w].handled, __ATOMIC_ACQUIRE) != sent[w])
            sched_yield();
        CHECK(pthread_kill(workers[w].thread, SIGUSR1) == 0);
        sent[w]++;
    }
    pthread_barrier_wait(&end);
    for (int w = 0; w < THREADS; w++)
        while (__atomic_load_n(&workers[w].handled, __ATOMIC_ACQUIRE) != sent[w])
            sched_yield();
    hand_over();
    checkpoint(0);
    if (draw(&main_state, 3) == 0)
        fork_a_child();
}

static void start_workers(unsigned long long seed)
{
    struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };

    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(pthread_barrier_init(&begin, NULL, THREADS + 1) == 0);
    CHECK(pthread_barrier_init(&end, NULL, THREADS + 1) == 0);
    main_state = seed * 0x9e3779b97f4a7c15 | 1;
    for (int w = 0; w < THREADS; w++) {
        workers[w].state = (seed + 1 + w) * 0xbf58476d1ce4e5b9 | 1;
        workers[w].first_name = PARENTS;
        kref_init_as(&anchors[w].kref, "anchor");
        start(&workers[w].thread, run, &workers[w]);
    }
}

int main(int argc, char **argv)
{
    int rounds;

    CHECK(argc == 3);
    start_workers(strtoull(argv[1], NULL, 0));
    rounds = atoi(argv[2]);
    while (rounds-- > 0)
        one_round();
    stop = 1;
    pthread_barrier_wait(&begin);
    for (int w = 0; w < THREADS; w++)
        join(workers[w].thread);
    return 0;
}
