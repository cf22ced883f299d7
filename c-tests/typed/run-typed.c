/*
 * KREF_DEFINE: each function does what the function of kref.h does, with the object's own type; NULL stays
 * NULL; and the last unref calls the free function once.
 * tools: tsan
 */
#include "../harness/check.h"

struct session {
    int id; /* the kref is not the first member */
    struct kref kref;
};

static int freed[8];

static void session_free(struct session *session)
{
    freed[session->id]++;
    free(session);
}

KREF_DEFINE(session, struct session, kref, session_free);

static struct session *session_new(int id)
{
    struct session *session = (struct session *)malloc(sizeof *session);

    CHECK(session);
    session->id = id;
    session_ref_init(session);
    return session;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct session *table[8];

static struct session *find(void *key)
{
    return table[*(int *)key];
}

static void references(void)
{
    struct session *session = session_new(1);

    CHECK(session_is_unique(session));
    CHECK(session_ref(session) == session && kref_read(&session->kref) == 2);
    CHECK(!session_is_unique(session));
    CHECK(session_ref_unless_zero(session) == session && kref_read(&session->kref) == 3);
    session_unref(session);
    session_unref(session);
    CHECK(session_is_unique(session) && freed[1] == 0);
    session_unref(session);
    CHECK(freed[1] == 1);
}

static struct session *in_release;

static void other_free(struct session *session)
{
    in_release = session_ref_unless_zero(session);
}

KREF_DEFINE(other, struct session, kref, other_free);

static void several(void)
{
    struct session session = { 5, KREF_INIT(1) };

    other_ref_init_n(&session, 2);
    CHECK(kref_read(&session.kref) == 2);
    other_ref_init_n(&session, 1);
    CHECK(other_is_unique(&session));
}

static void no_object(void)
{
    CHECK(session_ref(NULL) == NULL);
    CHECK(session_ref_unless_zero(NULL) == NULL);
    session_unref(NULL);
}

/* An object that is being released gives no reference. */
static void late(void)
{
    struct session session;

    in_release = &session;
    other_ref_init(&session);
    other_unref(&session);
    CHECK(in_release == NULL);
}

static void lookups(void)
{
    static struct kref_slot slot = KREF_SLOT_INIT;
    int here = 2, nowhere = 3;
    struct session *session = table[2] = session_new(2), *found;

    found = session_lookup(&lock, find, &here);
    CHECK(found == session && kref_read(&session->kref) == 2);
    CHECK(session_lookup(&lock, find, &nowhere) == NULL);
    CHECK(session_slot_get(&slot) == NULL);
    CHECK(session_slot_replace(&slot, found) == NULL); /* the slot takes the reference over */
    CHECK(kref_read(&session->kref) == 2);
    found = session_slot_get(&slot);
    CHECK(found == session && kref_read(&session->kref) == 3);
    session_unref(found);
    CHECK(session_slot_replace(&slot, NULL) == session);
    session_unref(session);
    CHECK(freed[2] == 0);
    table[2] = NULL;
    session_unref(session);
    CHECK(freed[2] == 1);
}

static void *worker(void *arg)
{
    struct session *session = (struct session *)arg;

    CHECK(session->id == 4);
    session_unref(session);
    return NULL;
}

/* The release function has a name, for the functions of kref.h that ask for one. */
static void thread(void)
{
    struct session *session = session_new(4);
    pthread_t thread;

    CHECK(kref_thread_create(&thread, NULL, worker, session, &session->kref,
                             session_kref_release) == 0);
    session_unref(session);
    join(thread);
    CHECK(freed[4] == 1);
}

int main(void)
{
    references();
    several();
    no_object();
    late();
    lookups();
    thread();
    return 0;
}
