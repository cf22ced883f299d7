/*
 * Where the type and its functions may stand: a library of C with an opaque type, a namespace, a file's own
 * namespace, a second count, a derived class. And a report of misuse names the function that used the ref.
 */
#include "check.h"

#include <kref.hpp>

/* A library of C. Its clients do not see the struct. */
extern "C" {
struct opaque;
KREF_DECLARE(opaque, struct opaque);
struct opaque *opaque_new(void);
}

static int freed;

/* A client of this library. */
static void client()
{
    libkref::ref<opaque> o = libkref::adopt(opaque_new()), more = o;

    CHECK(o == more && !o.is_unique());
    more.reset();
    CHECK(o.is_unique() && libkref::retain_unless_zero(o.get()) && freed == 0);
    o.reset();
    CHECK(freed == 1);
}

struct opaque {
    struct kref kref;
};

static void opaque_free(struct opaque *o)
{
    freed++;
    delete o;
}

extern "C" {
KREF_DEFINE_EXTERN(opaque, struct opaque, kref, opaque_free);

struct opaque *opaque_new()
{
    struct opaque *o = new opaque;

    opaque_ref_init(o);
    return o;
}
}

namespace app
{
struct session {
    struct kref kref;
};

static void session_free(session *s)
{
    freed += 10;
    free(s);
}

KREF_DEFINE(session, session, kref, session_free);

/* Counted and freed as a session. */
struct guest : session {
    int number;
};
} // namespace app

namespace
{
struct hidden {
    struct kref kref;
};

void hidden_free(hidden *h)
{
    freed += 100;
    delete h;
}

KREF_DEFINE(hidden, hidden, kref, hidden_free);
} // namespace

static void namespaces()
{
    freed = 0;
    {
        app::session *s = static_cast<app::session *>(malloc(sizeof *s));

        CHECK(s);
        session_ref_init(s);
        libkref::ref<app::session> r = libkref::adopt(s);
        hidden *h = new hidden;

        hidden_ref_init(h);
        libkref::ref<hidden> other = libkref::adopt(h);
    }
    CHECK(freed == 110);
}

static void derived()
{
    app::guest *g = static_cast<app::guest *>(malloc(sizeof *g));

    CHECK(g);
    session_ref_init(g);
    libkref::ref<app::guest> r = libkref::adopt(g);
    libkref::ref<app::session> base = r;

    CHECK(base == r && kref_read(&g->kref) == 2);
    base = std::move(r);
    CHECK(!r && base.is_unique());
    freed = 0;
    base.reset();
    CHECK(freed == 10);
}

/* A type with two counts still has all functions of C. (compile_fail-two-counts.cpp: but no ref.) */
struct twice {
    struct kref users, readers;
};

static void twice_free(twice *t)
{
    delete t;
}

static void readers_gone(twice *)
{
    freed++;
}

KREF_DEFINE(users, twice, users, twice_free);
KREF_DEFINE(readers, twice, readers, readers_gone);

static void two_counts()
{
    twice *t = new twice;

    users_ref_init(t);
    readers_ref_init(t);
    freed = 0;
    readers_unref(t);
    CHECK(freed == 1);
    users_unref(t);
}

/* The functions of this section are between these two addresses. */
extern const char __start_misused[], __stop_misused[];

__attribute__((section("misused"), noinline)) static void take_of_dead(app::session *s)
{
    libkref::ref<app::session> r = libkref::retain(s);

    freed = static_cast<int>(r.is_unique()); /* the get is not the last call */
    s = r.release();
    freed = 0;
}

static void place_of_misuse()
{
    static app::session dead = { KREF_INIT(0) };
    struct told told = { 0, { KREF_GET_ON_ZERO, NULL, NULL } };

    kref_set_violation_handler(remember, &told);
    take_of_dead(&dead);
    kref_set_violation_handler(NULL, NULL);
    const char *caller = static_cast<const char *>(told.last.caller);

    CHECK(told.times == 1 && told.last.kind == KREF_GET_ON_ZERO && told.last.kref == &dead);
    CHECK(caller > __start_misused && caller <= __stop_misused);
}

/* A library of C may have a retain() of its own. */
namespace media
{
struct frame {
    struct kref kref;
};

static void frame_free(frame *f)
{
    freed++;
    delete f;
}

KREF_DEFINE(frame, frame, kref, frame_free);

KREF_UNUSED static frame *retain(frame *f)
{
    return frame_ref(f);
}
} // namespace media

static void own_retain()
{
    media::frame *f = new media::frame;

    freed = 0;
    media::frame_ref_init(f);
    libkref::ref<media::frame> one = libkref::adopt(f), two = one;
    libkref::ref<const volatile media::frame> three = one;

    CHECK(!three.is_unique() && kref_read(&f->kref) == 3);
    one.reset();
    two.reset();
    CHECK(three.is_unique() && freed == 0);
    three.reset();
    CHECK(freed == 1);
}

int main()
{
    client();
    own_retain();
    namespaces();
    derived();
    two_counts();
    place_of_misuse();
    return 0;
}
