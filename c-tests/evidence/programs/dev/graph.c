/*
 * A graph of build steps. A step holds the steps that it needs until it has run; the ready list,
 * the target list and the table of outputs hold steps, too.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 70, NEEDS = 3, ROUNDS = 3 };

struct step {
    struct kref kref;
    int id, missing, done;
    struct step *needs[NEEDS];
    int needed_by[STEPS], users; /* by number: no references */
};

static struct step *outputs[STEPS], *ready[STEPS], *targets[STEPS];
static int first_ready, last_ready, ntargets, ran;

static void step_delete(struct kref *kref)
{
    free(kref_entry(kref, struct step, kref));
}

static struct step *step_ref(struct step *step)
{
    kref_get(&step->kref);
    return step;
}

static void step_unref(struct step *step)
{
    kref_put(&step->kref, step_delete);
}

static void step_needs(struct step *step, int other)
{
    struct step *need = outputs[other];

    if (!need || need->done)
        return;
    step->needs[step->missing++] = step_ref(need); /* get: need */
    need->needed_by[need->users++] = step->id;
}

static void make_ready(struct step *step)
{
    ready[last_ready++] = step_ref(step); /* get: ready */
}

static void step_create(int id)
{
    struct step *step = calloc(1, sizeof *step);

    if (!step)
        abort();
    kref_init(&step->kref); /* get: output */
    step->id = id;
    outputs[id] = step;
    if (id >= 4 && id % 4) {
        step_needs(step, id / 2);
        step_needs(step, id - 3);
    }
    if (id % 9 == 8)
        step_needs(step, 1);
    if (!step->missing)
        make_ready(step);
    if (id > STEPS / 2)
        targets[ntargets++] = step_ref(step); /* get: target */
}

static void forget_need(struct step *step, struct step *need)
{
    int i;

    for (i = 0; i < step->missing; i++)
        if (step->needs[i] == need) {
            step->needs[i] = step->needs[--step->missing];
            step_unref(need); /* put: need */
            return;
        }
}

static void run(struct step *step)
{
    int i;

    step->done = 1;
    ran++;
    for (i = 0; i < step->users; i++) {
        struct step *user = outputs[step->needed_by[i]];

        forget_need(user, step);
        if (!user->missing)
            make_ready(user);
    }
}

static void run_all(void)
{
    while (first_ready < last_ready) {
        struct step *step = ready[first_ready++];

        run(step);
        step_unref(step); /* put: ready */
    }
}

static void build(void)
{
    int i;

    first_ready = last_ready = ntargets = 0;
    for (i = 0; i < STEPS; i++) {
        step_create(i);
        if (i % 16 == 15)
            run_all();
    }
    run_all();
    for (i = 0; i < ntargets; i++)
        step_unref(targets[i]); /* put: target */
    for (i = 0; i < STEPS; i++) {
        step_unref(outputs[i]); /* put: output */
        outputs[i] = NULL;
    }
}

int main(void)
{
    int i;

    for (i = 0; i < ROUNDS; i++)
        build();
    printf("%d steps ran\n", ran);
    return 0;
}
