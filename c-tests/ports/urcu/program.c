/* Sessions that are counted with liburcu's urcu_ref. With an argument, one reference is never given back. */
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <urcu/ref.h>

struct session {
    int id;
    struct urcu_ref ref;
};

static void session_release(struct urcu_ref *ref)
{
    struct session *session = (struct session *)((char *)ref - offsetof(struct session, ref));

    printf("session %d freed\n", session->id);
    free(session);
}

static bool session_get(struct session *session)
{
    return urcu_ref_get_unless_zero(&session->ref);
}

static void session_put(struct session *session)
{
    assert(session->ref.refcount);
    urcu_ref_put(&session->ref, session_release);
}

static struct session *session_new(int id, long references)
{
    struct session *session = (struct session *)malloc(sizeof *session);

    if (!session)
        abort();
    session->id = id;
    if (references == 1)
        urcu_ref_init(&session->ref);
    else
        urcu_ref_set(&session->ref, references);
    return session;
}

static void show(struct session *session)
{
    urcu_ref_get(&session->ref); /* HERE */
    printf("session %d shown\n", session->id);
}

int main(int argc, char **argv)
{
    struct session *one = session_new(1, 1), *two = session_new(2, 2);

    (void)argv;
    show(one);
    if (argc == 1)
        session_put(one);
    if (!session_get(two) || !urcu_ref_get_safe(&two->ref))
        return 1;
    session_put(two);
    session_put(two);
    session_put(two);
    session_put(two);
    session_put(one);
    return 0;
}
