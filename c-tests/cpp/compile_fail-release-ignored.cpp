/*
 * release() gives nothing back: who ignores its result loses a reference.
 * says: unused
 */
#include <kref.hpp>

class job : public libkref::counted<job>
{
};

int main()
{
    libkref::ref<job> j = libkref::adopt(new job);

#ifdef WRONG
    j.release();
#else
    j.reset();
#endif
    return 0;
}
