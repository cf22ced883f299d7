/*
 * A conversion to the base stands before KREF_DEFINE, where nobody knows yet which functions free the two types.
 * says: this type is not counted
 */
#include <kref.hpp>
#include <utility>

struct base {
    struct kref kref;
};
struct derived : base {
};

static void take(libkref::ref<base> b)
{
    b.reset();
}

#ifdef WRONG
static void pass_on(libkref::ref<derived> d)
{
    take(std::move(d));
}
#endif

static void base_free(base *b)
{
    delete b;
}

static void derived_free(derived *d)
{
    delete d;
}

KREF_DEFINE(base, base, kref, base_free);
KREF_DEFINE(derived, derived, kref, derived_free);

#ifndef WRONG
static void pass_on(libkref::ref<derived> d)
{
    d.reset();
}
#endif

int main()
{
    take(nullptr);
    pass_on(nullptr);
    return 0;
}
