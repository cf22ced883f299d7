/*
 * KREF_DEFINE does not stand in the namespace of its type.
 * says: this type is not counted
 */
#include <kref.hpp>

namespace app
{
struct job {
    struct kref kref;
};
#ifdef WRONG
} // namespace app
using app::job;
#endif

static void job_free(job *j)
{
    delete j;
}

KREF_DEFINE(job, job, kref, job_free);
#ifndef WRONG
} // namespace app
#endif

int main()
{
    libkref::ref<app::job> none;

    return none ? 1 : 0;
}
