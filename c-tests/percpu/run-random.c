/*
 * Random valid lives of percpu references against a model: whatever the mode and its changes, the count is
 * what was taken less what was given back. KREF_SEED=N replays; a failure prints its seed.
 */
#include "random.h"

#define REFS 70 /* more than share the pages of their counters */

/* What is known of a reference without looking at it. */
struct model {
    int lives;      /* initialised and not exited */
    int dying;
    int atomic;     /* percpu_ref_switch_to_atomic() was called, and not _to_percpu() since */
    int may_return; /* PERCPU_REF_ALLOW_REINIT, or what implies it */
    unsigned long count;
    unsigned long released, confirmed;
};

static struct percpu_ref refs[REFS];
static struct model models[REFS];
static unsigned long released[REFS], confirmed[REFS];
static struct told told;
static unsigned long step;
static int has_rseq;

#define AGREE(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "KREF_SEED=%llu: step %lu: not so: %s\n", seed, step, #condition);     \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static void release(struct percpu_ref *ref)
{
    released[ref - refs]++;
}

static void confirm(struct percpu_ref *ref)
{
    AGREE(!models[ref - refs].dying || !percpu_ref_tryget_live(ref));
    confirmed[ref - refs]++;
}

/* More than one step may add to a CPU's counter, in one of four cases. */
static unsigned long some(void)
{
    return draw(4) ? 1 + draw(8) : 1 + draw(3000);
}

static void begin(struct percpu_ref *ref, struct model *model)
{
    unsigned int flags = draw(8);

    AGREE(!percpu_ref_init(ref, release, flags));
    model->lives = 1;
    model->dying = (flags & PERCPU_REF_INIT_DEAD) != 0;
    model->atomic = (flags & PERCPU_REF_INIT_ATOMIC) != 0;
    model->may_return = flags != 0;
    model->count = !model->dying;
}

/* Everything that can be seen. */
static void compare(struct percpu_ref *ref, const struct model *model)
{
    size_t i = (size_t)(ref - refs);

    AGREE(!told.times);
    AGREE(released[i] == model->released && confirmed[i] == model->confirmed);
    AGREE(percpu_ref_is_dying(ref) == (!model->lives || model->dying));
    AGREE(percpu_ref_is_zero(ref) == (!model->lives || !model->count));
    AGREE((ref->cpus > 0) == (has_rseq && model->lives && !model->dying && !model->atomic));
}

static void get(struct percpu_ref *ref, struct model *model)
{
    unsigned long n = some();

    if (!model->count)
        return;
    if (n == 1)
        percpu_ref_get(ref);
    else
        percpu_ref_get_many(ref, n);
    model->count += n;
}

static void tryget(struct percpu_ref *ref, struct model *model)
{
    unsigned long n = some();
    int got = n == 1 ? percpu_ref_tryget(ref) : percpu_ref_tryget_many(ref, n);

    AGREE(got == (model->count > 0));
    model->count += got ? n : 0;
}

static void tryget_live(struct percpu_ref *ref, struct model *model)
{
    int got = percpu_ref_tryget_live(ref);

    AGREE(got == (model->lives && !model->dying));
    model->count += (unsigned long)got;
}

/* The initial reference is the kill's. */
static void put(struct percpu_ref *ref, struct model *model)
{
    unsigned long mine = model->count - (model->lives && !model->dying), n;

    if (!mine)
        return;
    n = draw(3) ? 1 : 1 + draw(mine > 5000 ? 5000 : (unsigned int)mine);
    model->count -= n;
    model->released += !model->count;
    if (n == 1)
        percpu_ref_put(ref);
    else
        percpu_ref_put_many(ref, n);
}

static void kill_it(struct percpu_ref *ref, struct model *model)
{
    int confirms = (int)draw(2);

    if (!model->lives || model->dying)
        return;
    model->dying = 1;
    model->count--;
    model->released += !model->count;
    model->confirmed += (unsigned long)confirms;
    percpu_ref_kill_and_confirm(ref, confirms ? confirm : NULL);
}

static void to_atomic(struct percpu_ref *ref, struct model *model)
{
    if (!model->count)
        return;
    model->atomic = 1;
    if (draw(2)) {
        percpu_ref_switch_to_atomic_sync(ref);
    } else {
        model->confirmed++;
        percpu_ref_switch_to_atomic(ref, confirm);
    }
}

static void to_percpu(struct percpu_ref *ref, struct model *model)
{
    if (!model->lives || !(model->may_return || model->dying || !model->atomic))
        return;
    model->atomic = 0;
    percpu_ref_switch_to_percpu(ref);
}

static void revive(struct percpu_ref *ref, struct model *model)
{
    if (!model->lives || !model->dying || !model->may_return)
        return;
    if (!model->count && draw(2))
        percpu_ref_reinit(ref);
    else
        percpu_ref_resurrect(ref);
    model->dying = 0;
    model->count++;
}

static void end(struct percpu_ref *ref, struct model *model)
{
    if (model->lives && model->count != !model->dying)
        return;
    percpu_ref_exit(ref);
    model->lives = 0;
    model->count = 0;
}

int main(void)
{
    static void (*const often[])(struct percpu_ref *, struct model *) = { get, tryget, tryget_live, put };
    static void (*const seldom[])(struct percpu_ref *, struct model *) = { kill_it, to_atomic, to_percpu,
                                                                           revive, end };
    size_t i;

    seed_random();
    has_rseq = kref_rseq_available();
    kref_set_violation_handler(remember, &told);
    for (step = 0; step < 300000; step++) {
        struct percpu_ref *ref = &refs[draw(draw(2) ? 2 : REFS)]; /* two of them live busy lives */
        struct model *model = &models[ref - refs];

        if (!model->lives && draw(2))
            begin(ref, model);
        else if (draw(3))
            often[draw(sizeof often / sizeof *often)](ref, model);
        else
            seldom[draw(sizeof seldom / sizeof *seldom)](ref, model);
        compare(ref, model);
    }
    for (i = 0; i < REFS; i++) {
        struct model *model = &models[i];

        if (model->lives && !model->dying)
            kill_it(&refs[i], model);
        for (; model->count; compare(&refs[i], model))
            put(&refs[i], model);
        end(&refs[i], model);
        compare(&refs[i], model);
    }
    return 0;
}
