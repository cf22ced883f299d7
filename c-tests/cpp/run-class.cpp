/*
 * libkref::counted: a class with a private destructor, a base with virtual functions, a class template, and copies of
 * objects.
 */
#include "check.h"

#include <kref.hpp>
#include <string>
#include <type_traits>
#include <utility>

static int freed;

class session : public libkref::counted<session>
{
  public:
    explicit session(std::string name) : counted("session"), name_(std::move(name)) {}
    const std::string &name() const { return name_; }
    libkref::ref<session> self() { return libkref::retain(this); }

  private:
    friend class libkref::counted<session>;
    ~session() { freed++; }

    std::string name_;
};

static void one_class()
{
    libkref::ref<session> s = libkref::adopt(new session("a name that is too long for the string itself"));

    CHECK(s.is_unique());
    {
        libkref::ref<session> more = s->self();

        CHECK(more == s && !s.is_unique() && more->name().size() == 45);
    }
    CHECK(s.is_unique() && libkref::retain_unless_zero(s.get()) == s && freed == 0);
    CHECK(!libkref::retain_unless_zero<session>(nullptr) && !libkref::retain<session>(nullptr));
    libkref::ref<const session> c = s;

    s.reset();
    CHECK(freed == 0 && c.is_unique());
    c.reset();
    CHECK(freed == 1);
}

class shape : public libkref::counted<shape>
{
  public:
    virtual int corners() const = 0;
    virtual ~shape() { freed++; }
};

class painted
{
  public:
    virtual ~painted() { freed += 10; }
    int colour = 0;
};

/* The second base: its address is not the object's. */
class square : public painted, public shape
{
  public:
    int corners() const override { return 4; }
    ~square() override { freed += 100; }
};

static_assert(std::is_convertible<libkref::ref<square>, libkref::ref<shape>>::value, "");
static_assert(!std::is_convertible<libkref::ref<shape>, libkref::ref<square>>::value, "");
static_assert(!std::is_convertible<libkref::ref<session>, libkref::ref<shape>>::value, "");

static void bases()
{
    freed = 0;
    libkref::ref<square> four = libkref::adopt(new square);
    libkref::ref<shape> any = four, more;

    CHECK(any == four && four == any && any->corners() == 4 && !four.is_unique());
    more = four;
    more = std::move(four);
    CHECK(!four && more == any);
    any.reset();
    CHECK(more.is_unique() && freed == 0);
    libkref::ref<const shape> last = std::move(more);

    last.reset();
    CHECK(freed == 111);
}

template <class T> class box : public libkref::counted<box<T>>
{
  public:
    explicit box(T value) : value_(value) {}
    box(const box &) = default;
    box &operator=(const box &) = default;
    ~box() { freed++; }
    T value_;
};

/* A copy of an object has a count of its own. */
static void copies_of_objects()
{
    freed = 0;
    libkref::ref<box<int>> one = libkref::adopt(new box<int>(1)), more = one;
    libkref::ref<box<int>> two = libkref::adopt(new box<int>(*one));

    CHECK(two.is_unique() && two->value_ == 1);
    two->value_ = 2;
    *one = *two;
    CHECK(!one.is_unique() && two.is_unique() && more->value_ == 2);
    one.reset();
    two.reset();
    CHECK(freed == 1 && more.is_unique());
    more.reset();
    CHECK(freed == 2);
}

class fussy : public libkref::counted<fussy>
{
  public:
    explicit fussy(int id) : counted("fussy")
    {
#ifdef __cpp_exceptions
        if (id < 0)
            throw id;
#else
        (void)id;
#endif
    }
};

static int tracked, gone;

static int created(struct kref *, const char *)
{
    return ++tracked;
}

static void released(struct kref *, void (*)(struct kref *))
{
    gone++;
}

/* Nobody puts the reference of an object on the stack, and of one whose constructor throws. A tracker learns of its
 * end all the same. */
static void objects_without_a_put()
{
    struct kref_tracker tracker = {};

    tracker.size = sizeof tracker;
    tracker.created = created;
    tracker.released = released;
    CHECK(kref_set_tracker(&tracker) == 0);
    {
        fussy on_the_stack(1);
    }
    CHECK(tracked == 1 && gone == 1);
    libkref::adopt(new fussy(2)).reset();
    CHECK(tracked == 2 && gone == 2);
#ifdef __cpp_exceptions
    try {
        libkref::adopt(new fussy(-1)).reset();
    } catch (int) {
    }
    CHECK(tracked == 3 && gone == 3);
#endif
    CHECK(kref_set_tracker(NULL) == 0);
}

int main()
{
    one_class();
    objects_without_a_put();
    bases();
    copies_of_objects();
    return 0;
}
