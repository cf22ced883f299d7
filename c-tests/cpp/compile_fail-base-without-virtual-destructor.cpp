/*
 * The last reference on a derived object would delete a base without a virtual destructor.
 * says: which needs a virtual destructor
 */
#include <kref.hpp>

class job : public libkref::counted<job>
{
  public:
#ifndef WRONG
    virtual
#endif
        ~job()
    {
    }
};

class print : public job
{
};

int main()
{
    libkref::ref<job> j = libkref::adopt(new print);

    return !j;
}
