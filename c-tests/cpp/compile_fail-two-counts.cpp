/*
 * A type with two counts has no ref, because its pointer does not say which count is meant.
 * says: ambiguous
 */
#include <kref.hpp>

struct twice {
    struct kref users, readers;
};

static void twice_free(twice *t)
{
    delete t;
}

KREF_DEFINE(users, twice, users, twice_free);
#ifdef WRONG
KREF_DEFINE(readers, twice, readers, twice_free);
#endif

int main()
{
    libkref::ref<twice> none;

    return none ? 1 : 0;
}
