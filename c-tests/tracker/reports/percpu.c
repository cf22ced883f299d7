/*
 * Servers that are hot, and a configuration in a slot. One server loses a put, one is never killed, one is not
 * exited, one is killed twice; who replaces the configuration forgets the old one.
 */
#include "../../harness/check.h"

struct config {
    struct kref kref;
};

static struct percpu_ref lost, unkilled, unexited, killed_twice, right;
static struct percpu_ref_slot current_server;
static struct kref_slot current_config;
static struct kref *forgotten;

static void server_stop(struct percpu_ref *server)
{
    percpu_ref_exit(server);
}

static void server_forget(struct percpu_ref *server)
{
    (void)server;
}

static int serve(int request)
{
    if (!percpu_ref_tryget_live(&lost)) /* HERE */
        return 0;
    if (request % 2)
        return 0;
    percpu_ref_put(&lost);
    return 1;
}

static void unkilled_start(void)
{
    CHECK(!percpu_ref_init(&unkilled, server_stop, 0));
}

static void unexited_start(void)
{
    CHECK(!percpu_ref_init(&unexited, server_forget, 0));
}

static void stop(struct percpu_ref *server)
{
    percpu_ref_kill(server);
}

static void *use_the_right_one(void *unused)
{
    struct percpu_ref *server = percpu_ref_slot_get(&current_server);

    CHECK(server == &right);
    percpu_ref_get_many(server, 2);
    percpu_ref_put_many(server, 3);
    return unused;
}

static void everything_right(void)
{
    pthread_t threads[4];
    int i;

    CHECK(!percpu_ref_init(&right, server_stop, PERCPU_REF_ALLOW_REINIT));
    CHECK(!percpu_ref_slot_replace(&current_server, &right));
    for (i = 0; i < 4; i++)
        CHECK(!pthread_create(&threads[i], NULL, use_the_right_one, NULL));
    for (i = 0; i < 4; i++)
        join(threads[i]);
    CHECK(percpu_ref_slot_replace(&current_server, NULL) == &right);
    percpu_ref_get(&right);
    percpu_ref_kill(&right);
    percpu_ref_resurrect(&right);
    percpu_ref_put(&right);
    percpu_ref_kill(&right);
}

static void config_free(struct kref *kref)
{
    free(kref_entry(kref, struct config, kref));
}

static void configure(void)
{
    struct config *config = malloc(sizeof *config);

    CHECK(config);
    kref_init(&config->kref);
    forgotten = kref_slot_replace(&current_config, &config->kref);
}

int main(void)
{
    struct kref *kref;
    int request;

    everything_right();
    CHECK(!percpu_ref_init(&lost, server_stop, 0));
    unkilled_start();
    unexited_start();
    CHECK(!percpu_ref_init(&killed_twice, server_forget, 0));
    for (request = 0; request < 6; request++)
        serve(request);
    stop(&lost);
    stop(&unexited);
    stop(&killed_twice);
    stop(&killed_twice);
    percpu_ref_exit(&killed_twice);
    for (request = 0; request < 2; request++) {
        configure();
        kref = kref_slot_get(&current_config);
        CHECK(kref && !kref_put(kref, config_free));
    }
    return !forgotten;
}
