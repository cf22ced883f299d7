// Three leaks in C++: a ref that was copied, a new object, and a function of KREF_DEFINE. The name of one type looks like the name of a put.
#include <kref.hpp>

struct job_put {
    struct kref kref;
};

static void job_put_free(job_put *job)
{
    delete job;
}

KREF_DEFINE(job_put, job_put, kref, job_put_free);

class named : public libkref::counted<named>
{
  public:
    named() : counted("named") {}
};

static job_put *leaked;

__attribute__((noinline)) static void keep(const libkref::ref<job_put> &job)
{
    leaked = libkref::ref<job_put>(job).release();
}

__attribute__((noinline)) static job_put *grab(job_put *job)
{
    return job_put_ref(job);
}

int main()
{
    job_put *job = new job_put;

    job_put_ref_init(job);
    job_put *grabbed = grab(job);
    keep(libkref::adopt(job));
    static libkref::ref<named> &never_destroyed = *new libkref::ref<named>(libkref::adopt(new named));

    return never_destroyed && leaked && grabbed ? 0 : 1;
}
