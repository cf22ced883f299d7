/*
 * A borrowed pointer is adopted, so the reference of its holder is given back twice.
 * caught by: asan: heap-use-after-free
 */
#include "check.h"

#include <kref.hpp>

class job : public libkref::counted<job>
{
  public:
    int number = 1;
};

static int number_of(job *borrowed)
{
    libkref::ref<job> j = libkref::adopt(borrowed); /* wrong; right: retain() */

    return j->number;
}

int main()
{
    libkref::ref<job> j = libkref::adopt(new job);

    return number_of(j.get()) - j->number;
}
