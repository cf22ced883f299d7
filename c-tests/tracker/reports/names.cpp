// Leaks in functions of C++, of which each report is to have the whole name. argv[1] says which function leaks.
#include "../object.h"
#include <cstring>

static struct object *kept;
/* Makes the functions different, so that the compiler keeps each. */
static volatile int mark;

namespace net {

struct pool {
    template <typename T> struct slot {
        __attribute__((noinline)) static void fill(T *object, int)
        {
            kref_get(&object->kref);
        }
    };
};

class session {
  public:
    explicit session(struct object *object) : object_(object) {}
    __attribute__((noinline)) void open(long) const
    {
        kref_get(&object_->kref);
    }
    inline __attribute__((always_inline)) void reopen()
    {
        kref_get(&object_->kref);
        mark = 1;
    }
    __attribute__((noinline)) session &operator+=(int)
    {
        kref_get(&object_->kref);
        return *this;
    }

  private:
    struct object *object_;
};

namespace {

struct hidden {
    __attribute__((noinline)) static void hold(struct object *object)
    {
        kref_get(&object->kref);
    }
    static inline __attribute__((always_inline)) void inlined(struct object *object)
    {
        kref_get(&object->kref);
        mark = 2;
    }
};

} // namespace
} // namespace net

__attribute__((noinline)) static void by_lambda(struct object *object)
{
    auto hold = [](struct object *of) __attribute__((noinline)) { kref_get(&of->kref); };

    hold(object);
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    struct object *object = object_new();
    net::session session(object);

    if (!strcmp(how, "template"))
        net::pool::slot<struct object>::fill(object, 1);
    else if (!strcmp(how, "method"))
        session.open(1);
    else if (!strcmp(how, "inlined method"))
        session.reopen();
    else if (!strcmp(how, "operator"))
        session += 1;
    else if (!strcmp(how, "anonymous"))
        net::hidden::hold(object);
    else if (!strcmp(how, "inlined anonymous"))
        net::hidden::inlined(object);
    else if (!strcmp(how, "lambda"))
        by_lambda(object);
    kept = object;
    object_put(object);
    return kept ? 0 : 1;
}
