// Compiled, and not run: every warning of the compilers, on what kref.hpp inlines.
#include <kref.hpp>
#include <unordered_set>
#include <utility>

struct object {
    int number;
    struct kref kref;
};

class base : public libkref::counted<base>
{
  public:
    base() : counted("base"), number(0) {}
    base(const base &) = default;
    base &operator=(const base &) = default;
    virtual ~base();
    int number;
};

class derived : public base
{
  public:
    ~derived() override;
};

int use_object(object *object);
int use_class(libkref::ref<derived> d);

base::~base() {}
derived::~derived() {}

static void object_free(object *object)
{
    delete object;
}

KREF_DEFINE(object, object, kref, object_free);

int use_object(object *object)
{
    libkref::ref<struct object> adopted = libkref::adopt(object), empty = nullptr, copy = adopted;
    libkref::ref<const struct object> read_only = libkref::retain_unless_zero(copy.get());
    std::unordered_set<libkref::ref<struct object>> set;

    set.insert(adopted);
    empty = std::move(copy);
    swap(empty, adopted);
    if (empty == adopted && empty != nullptr && read_only == empty && empty.is_unique())
        empty.reset();
    if (read_only < empty || object > empty || read_only >= object)
        object_unref(empty.release());
    return empty ? empty->number : (*read_only).number;
}

int use_class(libkref::ref<derived> d)
{
    libkref::ref<base> b = d, other = libkref::adopt(new base(*b));

    b = std::move(d);
    *other = *b;
    return libkref::retain(b.get())->number + other->number + (b <= other);
}
