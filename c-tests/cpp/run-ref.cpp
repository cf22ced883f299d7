/*
 * libkref::ref of a type that KREF_DEFINE made: a copy takes a reference, a move takes none, the end of a ref gives
 * one back, and nothing else changes the count.
 */
#include "check.h"

#include <kref.hpp>
#include <type_traits>
#include <utility>

struct session {
    int id; /* the kref is not the first member */
    struct kref kref;
};

using ref = libkref::ref<session>;

static int freed;
static ref replaced; /* the ref whose old object is freed, while replacing is true */
static bool replacing;

static void session_free(session *s);

KREF_DEFINE(session, session, kref, session_free);

static void session_free(session *s)
{
    CHECK(!libkref::retain_unless_zero(s)); /* a lookup would find nothing */
    CHECK(!replacing || (replaced && replaced.get() != s));
    freed++;
    delete s;
}

static ref session_new(int id)
{
    session *s = new session;

    session_ref_init(s);
    s->id = id;
    return libkref::adopt(s);
}

static unsigned int held(const ref &r)
{
    return kref_read(&r->kref);
}

static_assert(sizeof(ref) == sizeof(session *), "a ref is a pointer");
static_assert(std::is_nothrow_default_constructible<ref>::value && std::is_nothrow_destructible<ref>::value, "");
static_assert(std::is_nothrow_copy_constructible<ref>::value && std::is_nothrow_copy_assignable<ref>::value, "");
static_assert(std::is_nothrow_move_constructible<ref>::value && std::is_nothrow_move_assignable<ref>::value, "");
static_assert(!std::is_constructible<ref, session *>::value, "a pointer does not say whether it brings a reference");
static_assert(!std::is_convertible<ref, session *>::value && !std::is_convertible<ref, bool>::value, "");
static_assert(std::is_convertible<ref, libkref::ref<const session>>::value, "");
static_assert(!std::is_convertible<libkref::ref<const session>, ref>::value, "");

static void from_and_to_pointers()
{
    ref r = session_new(1);
    session *s = r.get();

    CHECK(r && s->id == 1 && &*r == s && r->id == 1 && (*r).id == 1 && held(r) == 1);
    {
        ref more = libkref::retain(s);

        CHECK(more.get() == s && held(r) == 2);
    }
    CHECK(held(r) == 1);
    s = r.release(); /* with the reference */
    CHECK(!r && r.get() == NULL && kref_read(&s->kref) == 1);
    r = libkref::adopt(s);
    CHECK(held(r) == 1 && freed == 0);
    r.reset();
    CHECK(!r && freed == 1);
    r.reset();
    CHECK(freed == 1);
}

static void copies_and_moves()
{
    ref r = session_new(1), other = session_new(2);

    freed = 0;
    {
        ref copy(r);

        CHECK(copy.get() == r.get() && held(r) == 2);
        copy = other;
        CHECK(held(r) == 1 && held(other) == 2);
        copy = std::move(r);
        CHECK(!r && held(copy) == 1 && held(other) == 1);
        r = std::move(copy);
    }
    CHECK(held(r) == 1 && freed == 0);
    ref &same = r;

    r = same;
    CHECK(held(r) == 1);
    r = std::move(same);
    CHECK(r && held(r) == 1);
    ref moved(std::move(r));

    CHECK(!r && held(moved) == 1);
    swap(moved, other);
    CHECK(moved->id == 2 && other->id == 1);
    moved.swap(other);
    std::swap(moved, other);
    CHECK(moved->id == 2 && held(moved) == 1 && held(other) == 1);
    moved = nullptr;
    CHECK(freed == 1);
    other = {};
    CHECK(freed == 2);
}

static void empty()
{
    ref none, also = nullptr;

    CHECK(!none && none == also && !none.is_unique());
    ref copy = none, moved = std::move(none);

    copy = moved;
    CHECK(!libkref::retain(copy.get()) && !libkref::adopt(moved.release()));
    CHECK(!libkref::retain_unless_zero(copy.get()));
}

static void lookups()
{
    static struct kref_slot slot = KREF_SLOT_INIT;
    ref r = session_new(1);

    CHECK(r.is_unique() && libkref::retain_unless_zero(r.get()) == r);
    CHECK(held(r) == 1);
    CHECK(!libkref::adopt(session_slot_replace(&slot, ref(r).release())));
    CHECK(held(r) == 2 && !r.is_unique() && libkref::adopt(session_slot_get(&slot)) == r);
    CHECK(libkref::adopt(session_slot_replace(&slot, NULL)) == r);
    CHECK(held(r) == 1);
    freed = 0;
    r.reset();
    CHECK(freed == 1);
}

/* The new object is stored before the old one is freed. */
static void replace_while_freeing()
{
    freed = 0;
    replaced = session_new(1);
    replacing = true;
    replaced = session_new(2);
    replacing = false;
    CHECK(freed == 1 && replaced->id == 2);
    replaced.reset();
    CHECK(freed == 2);
}

struct node {
    struct kref kref;
    libkref::ref<node> next; /* before KREF_DEFINE */
};

static void node_free(node *n);

KREF_DEFINE(node, node, kref, node_free);

static void node_free(node *n)
{
    delete n;
}

static libkref::ref<node> node_new()
{
    node *n = new node;

    node_ref_init(n);
    return libkref::adopt(n);
}

/* An object that holds a ref on its own type. */
static void chain()
{
    libkref::ref<node> first = node_new(), second = node_new();

    first->next = second;
    CHECK(kref_read(&second->kref) == 2);
    second = first->next->next;
    CHECK(!second && kref_read(&first->next->kref) == 1);
    second = first->next;
    first = nullptr;
    CHECK(second.is_unique());
}

static void const_objects()
{
    libkref::ref<const session> r = session_new(3), copy = r;

    freed = 0;
    CHECK(r->id == 3 && kref_read(&r->kref) == 2);
    r = libkref::retain(copy.get());
    CHECK(kref_read(&r->kref) == 2);
    r.reset();
    ref writable = session_new(4);

    copy = writable;
    CHECK(freed == 1 && copy == writable && copy.get() == writable.get() && held(writable) == 2);
}

int main()
{
    from_and_to_pointers();
    copies_and_moves();
    empty();
    lookups();
    replace_while_freeing();
    chain();
    const_objects();
    return 0;
}
