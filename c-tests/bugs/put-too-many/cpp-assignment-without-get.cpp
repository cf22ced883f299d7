/*
 * A class that holds a reference. Its copy constructor takes one, and its assignment forgets to. Seen
 * where only one of the two was written by hand. The destructor's put is the same line for all.
 *
 * found by: put-after-release
 */
#include "check.h"

#include <map>
#include <utility>

namespace
{

struct Object {
    int value;
    struct kref kref;
};

void object_release(struct kref *kref)
{
    delete kref_entry(kref, Object, kref);
}

class Handle
{
  public:
    Handle() = default;
    explicit Handle(int value) : object(new Object())
    {
        object->value = value;
        kref_init(&object->kref);
    }
    Handle(const Handle &other) : object(other.object)
    {
        if (object)
            kref_get(&object->kref);
    }
    Handle &operator=(const Handle &other)
    {
#ifdef RIGHT
        Handle copy(other); // FIX
        std::swap(object, copy.object);
#else
        drop();
        object = other.object;
#endif
        return *this;
    }
    ~Handle()
    {
        drop();
    }

  private:
    void drop()
    {
        if (object)
            kref_put(&object->kref, object_release); // BLAME
    }
    Object *object = nullptr;
};

} // namespace

int main()
{
    std::map<int, Handle> handles;

    for (int i = 0; i < 3; i++) {
        Handle handle(i);

        handles[i] = handle;
    }
    return 0;
}
