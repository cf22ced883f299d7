/*
 * Actors on threads. An actor is held by those that know its address, by each letter to it, and
 * by the run queue while it has letters. Two threads take actors from the run queue.
 */
#include <kref.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { ACTORS = 12, THREADS = 2, LETTERS = 180 };

struct letter {
    struct letter *next;
    struct actor *to, *reply_to;
    int number;
};

struct actor {
    struct kref kref;
    pthread_mutex_t lock;
    struct letter *first, **last;
    int scheduled, sum;
    struct actor *next_to_run;
};

static pthread_mutex_t run_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t to_run = PTHREAD_COND_INITIALIZER, idle = PTHREAD_COND_INITIALIZER;
static struct actor *run_first, **run_last = &run_first;
static int letters_left, stop;

static void actor_destroy(struct kref *kref)
{
    struct actor *actor = kref_entry(kref, struct actor, kref);

    pthread_mutex_destroy(&actor->lock);
    free(actor);
}

static struct actor *actor_ref(struct actor *actor)
{
    kref_get(&actor->kref);
    return actor;
}

static void actor_unref(struct actor *actor)
{
    kref_put(&actor->kref, actor_destroy);
}

static struct actor *actor_new(void)
{
    struct actor *actor = calloc(1, sizeof *actor);

    if (!actor)
        abort();
    kref_init(&actor->kref); /* get: directory */
    pthread_mutex_init(&actor->lock, NULL);
    actor->last = &actor->first;
    return actor;
}

static void schedule(struct actor *actor)
{
    actor_ref(actor); /* get: run queue */
    pthread_mutex_lock(&run_lock);
    actor->next_to_run = NULL;
    *run_last = actor;
    run_last = &actor->next_to_run;
    pthread_cond_signal(&to_run);
    pthread_mutex_unlock(&run_lock);
}

static void deliver(struct actor *to, struct actor *reply_to, int number)
{
    struct letter *letter = malloc(sizeof *letter);
    int wake;

    if (!letter)
        abort();
    letter->next = NULL;
    letter->number = number;
    letter->to = actor_ref(to); /* get: letter */
    letter->reply_to = reply_to;
    if (reply_to)
        actor_ref(reply_to); /* get: reply */
    pthread_mutex_lock(&run_lock);
    letters_left++;
    pthread_mutex_unlock(&run_lock);
    pthread_mutex_lock(&to->lock);
    *to->last = letter;
    to->last = &letter->next;
    wake = !to->scheduled;
    to->scheduled = 1;
    pthread_mutex_unlock(&to->lock);
    if (wake)
        schedule(to);
}

static void letter_read(struct letter *letter)
{
    actor_unref(letter->to); /* put: letter */
    if (letter->reply_to)
        actor_unref(letter->reply_to); /* put: reply */
    free(letter);
    pthread_mutex_lock(&run_lock);
    if (--letters_left == 0)
        pthread_cond_signal(&idle);
    pthread_mutex_unlock(&run_lock);
}

static struct letter *next_letter(struct actor *actor)
{
    struct letter *letter;

    pthread_mutex_lock(&actor->lock);
    letter = actor->first;
    if (!letter)
        actor->scheduled = 0;
    else if (!(actor->first = letter->next))
        actor->last = &actor->first;
    pthread_mutex_unlock(&actor->lock);
    return letter;
}

static void behave(struct actor *actor)
{
    struct letter *letter;

    while ((letter = next_letter(actor))) {
        actor->sum += letter->number;
        if (letter->reply_to && letter->number % 3)
            deliver(letter->reply_to, letter->number % 2 ? actor : NULL, letter->number / 2);
        letter_read(letter);
    }
}

static void *thread(void *unused)
{
    struct actor *actor;

    pthread_mutex_lock(&run_lock);
    while (!stop || run_first) {
        if (!(actor = run_first)) {
            pthread_cond_wait(&to_run, &run_lock);
            continue;
        }
        if (!(run_first = actor->next_to_run))
            run_last = &run_first;
        pthread_mutex_unlock(&run_lock);
        behave(actor);
        actor_unref(actor); /* put: run queue */
        pthread_mutex_lock(&run_lock);
    }
    pthread_mutex_unlock(&run_lock);
    return unused;
}

int main(void)
{
    struct actor *actors[ACTORS];
    pthread_t threads[THREADS];
    int i, sum = 0;

    for (i = 0; i < ACTORS; i++)
        actors[i] = actor_new();
    for (i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, thread, NULL))
            return 1;
    for (i = 0; i < LETTERS; i++)
        deliver(actors[i % ACTORS], actors[i * 5 / 3 % ACTORS], i);
    pthread_mutex_lock(&run_lock);
    while (letters_left)
        pthread_cond_wait(&idle, &run_lock);
    stop = 1;
    pthread_cond_broadcast(&to_run);
    pthread_mutex_unlock(&run_lock);
    for (i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (i = 0; i < ACTORS; i++) {
        sum += actors[i]->sum;
        actor_unref(actors[i]); /* put: directory */
    }
    printf("%d\n", sum);
    return 0;
}
