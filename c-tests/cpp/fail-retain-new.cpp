/*
 * A new object is retained, so nobody gives the reference of its constructor back.
 * caught by: asan: detected memory leaks
 */
#include "check.h"

#include <kref.hpp>

class job : public libkref::counted<job>
{
};

int main()
{
    /* Many, because the last pointer may stay on the stack. */
    for (int i = 0; i < 10; i++)
        libkref::ref<job> j = libkref::retain(new job); /* wrong; right: adopt() */
    return 0;
}
