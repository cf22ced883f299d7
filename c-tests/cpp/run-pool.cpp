/*
 * A pool in C++: KREF_POOL_DEFINE in a namespace, libkref::ref of its type, and a member that has a constructor.
 *
 * tools: tsan
 */
#include "check.h"

#include <kref.hpp>
#include <new>
#include <string>
#include <utility>

namespace app
{
struct session {
    int id;
    struct kref kref;
    std::string name;
};

static int ended;

static void session_cleanup(session *s)
{
    ended++;
    s->name.std::string::~string(); /* the pool calls no destructor */
}

KREF_POOL_DEFINE(session, session, kref, session_cleanup);

typedef libkref::ref<session> ref;

/* The pool's memory is no object yet. Each member is made in its place, and the kref is left alone. */
static ref session_new(int id, const char *name)
{
    session *s = session_alloc();

    if (!s)
        return nullptr;
    s->id = id;
    new (&s->name) std::string(name);
    session_publish(s);
    return libkref::adopt(s);
}

static ref session_find(uint64_t handle)
{
    return libkref::adopt(session_by_handle(handle)); /* empty if the session is gone */
}
} // namespace app

static const char *const name = "a name that does not fit into the string itself";

static void a_ref_gives_back_what_a_lookup_took()
{
    app::ref s = app::session_new(7, name);
    uint64_t handle = app::session_handle(s.get());

    CHECK(s && s.is_unique());
    {
        app::ref found = app::session_find(handle), copy = found;

        CHECK(found == s && copy->name == name && kref_read(&s->kref) == 3);
    }
    CHECK(s.is_unique() && app::ended == 0);
    s = nullptr;
    CHECK(app::ended == 1);
    CHECK(!app::session_find(handle));
}

static void a_new_object_has_another_handle()
{
    app::ref first = app::session_new(1, name);
    app::session *memory = first.get();
    uint64_t handle = app::session_handle(memory);

    first.reset();
    app::ref second = app::session_new(2, "2");
    CHECK(!app::session_find(handle));
    CHECK(app::session_handle(second.get()) != handle && second->name == "2");
}

static void *find(void *handle)
{
    app::ref s = app::session_find(*static_cast<uint64_t *>(handle));

    CHECK(!s || (s->id == 3 && s->name == name));
    return nullptr;
}

/* The object is seen as it was when it was published, or not at all. */
static void a_lookup_races_with_the_last_reference()
{
    app::ref s = app::session_new(3, name);
    uint64_t handle = app::session_handle(s.get());
    pthread_t thread;

    start(&thread, find, &handle);
    s.reset();
    join(thread);
    CHECK(!app::session_find(handle));
}

static void each_object_can_be_visited()
{
    app::ref one = app::session_new(10, "10"), two = app::session_new(20, "20");
    unsigned cursor = 0;
    int sum = 0;

    while (app::ref s = libkref::adopt(app::session_next(&cursor)))
        sum += s->id;
    CHECK(sum == 30);
}

int main()
{
    a_ref_gives_back_what_a_lookup_took();
    a_new_object_has_another_handle();
    a_lookup_races_with_the_last_reference();
    each_object_can_be_visited();
    CHECK(kref_pool_destroy(&app::session_pool) == 0);
    return 0;
}
