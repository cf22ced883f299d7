/*
 * kref.hpp - libkref::ref<T>: a reference that C++ gives back at the end of its scope.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 *     #include <kref.hpp>
 *     #include <cstdio>
 *     #include <thread>
 *
 *     struct session {
 *         struct kref kref;
 *         int id;
 *     };
 *
 *     static void session_free(session *s) { std::printf("session %d: freed\n", s->id); delete s; }
 *
 *     KREF_DEFINE(session, session, kref, session_free);
 *
 *     static libkref::ref<session> session_new(int id)
 *     {
 *         session *s = new session;
 *         session_ref_init(s);
 *         s->id = id;
 *         return libkref::adopt(s);          // the reference of session_ref_init()
 *     }
 *
 *     int main()
 *     {
 *         libkref::ref<session> s = session_new(5);
 *         std::thread thread([s] { std::printf("session %d: served\n", s->id); });   // rule 1: a copy
 *         thread.join();
 *     }                                      // rule 2
 *
 * Which types. For a struct: write KREF_DEFINE, KREF_DECLARE or KREF_POOL_DEFINE in the struct's own namespace; then
 * ref<session> calls session_ref() and session_unref(). For a class with private members or virtual functions, or a class template:
 * derive it from libkref::counted<>, at the end of this file. A struct may have a ref<> to itself as
 * a member. Code that copies or destroys such a member stands after KREF_DEFINE.
 *
 * From a pointer. There is no constructor, because a pointer does not say whether it brings a reference:
 *
 *     libkref::adopt(p)                 p brings a reference, and the ref gives it back: a new object, and the
 *                                       results of session_ref(), session_lookup(), session_slot_get(),
 *                                       session_by_handle()
 *     libkref::retain(p)                p is borrowed: take one more reference
 *     libkref::retain_unless_zero(p)    for lookups, with the table's lock held: take one; empty if the object
 *                                       is being released
 *
 * To a pointer:
 *
 *     r.get()                           borrowed: valid as long as r holds the reference
 *     r.release()                       hands the reference on, to C code that gives it back; r is empty then
 *
 * All else is as in std::shared_ptr: a copy takes a reference, a move takes none; *, ->, bool, comparison also with
 * pointers and nullptr, swap, reset() and std::hash. r.is_unique() is kref_is_unique(). A ref is as large as a
 * pointer, and each operation makes the same calls as C code, with the same orderings and the same reports of misuse.
 *
 * Threads. Any number of threads may use their own refs to one object. If several threads use one ref, and at
 * least one of them changes it, they need a lock. For a published pointer there is struct kref_slot:
 *
 *     libkref::ref<session> current = libkref::adopt(session_slot_get(&slot));
 *     session_unref(session_slot_replace(&slot, next.release()));
 *
 * Nothing here throws. C++11 and later, also with -fno-exceptions and -fno-rtti. The namespace has the library's name,
 * because C++ does not allow a namespace `kref` beside `struct kref`.
 */
#ifndef KREF_HPP
#define KREF_HPP

#include "kref.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>

#if defined __cpp_impl_three_way_comparison && defined __has_include
#if __has_include(<compare>)
#include <compare>
#define KREF_CPP_THREE_WAY
#endif
#endif

/* Inlined even at -O0, so that a violation is reported at the line that copies or destroys a ref. */
#if defined __GNUC__
#define KREF_CPP_INLINE inline __attribute__((__always_inline__))
#else
#define KREF_CPP_INLINE inline
#endif

namespace libkref
{

template <class T> class ref;
template <class T> class counted;
template <class T> KREF_MUST_USE KREF_CPP_INLINE ref<T> adopt(T *object) noexcept;
template <class T> KREF_MUST_USE KREF_CPP_INLINE ref<T> retain(T *object) noexcept;
template <class T> KREF_MUST_USE KREF_CPP_INLINE ref<T> retain_unless_zero(T *object) noexcept;

/* For this header only. */
namespace detail
{

/* The type of a pointer chooses one of these functions, or the one that KREF_DEFINE made. The function is never called:
 * its result is a struct with the functions for the type. The last one accepts every pointer. */
struct not_counted {
};
template <class T> typename counted<T>::kref_calls kref_calls_of(counted<T> *, std::nullptr_t);
not_counted kref_calls_of(void *, ...);

template <class Calls> struct checked : Calls {
    static_assert(!std::is_same<Calls, not_counted>::value,
                  "this type is not counted: KREF_DEFINE or KREF_DECLARE must stand before, in the type's own "
                  "namespace, or the type must be derived from libkref::counted");
};

/* The functions for T. Only templates that are instantiated after KREF_DEFINE may use this, not the class ref<>
 * itself: if a struct has a ref<> to itself, the compiler instantiates ref<> before it has seen KREF_DEFINE. */
#define KREF_CPP_CALLS(T)                                                                          \
    checked<decltype(kref_calls_of(static_cast<typename std::remove_cv<T>::type *>(nullptr), nullptr))>

/* The count of a const object changes, too. */
template <class T> KREF_CPP_INLINE typename std::remove_cv<T>::type *without_const(T *object) noexcept
{
    return const_cast<typename std::remove_cv<T>::type *>(object);
}
template <class T> KREF_CPP_INLINE void take(T *object) noexcept
{
    KREF_CPP_CALLS(T)::take(without_const(object));
}
template <class T> KREF_CPP_INLINE bool take_unless_zero(T *object) noexcept
{
    return KREF_CPP_CALLS(T)::take_unless_zero(without_const(object));
}
template <class T> KREF_CPP_INLINE void give_back(T *object) noexcept
{
    KREF_CPP_CALLS(T)::give_back(without_const(object));
}
template <class T> KREF_CPP_INLINE bool is_unique(T *object) noexcept
{
    return KREF_CPP_CALLS(T)::is_unique(without_const(object));
}

/* Whether a ref<From> may become a ref<To>: T to const T; and a derived class to its base, if both have
 * the same count and the same free function. sizeof: a type without KREF_DEFINE is an error here, too. */
template <class From, class To, bool = std::is_convertible<From *, To *>::value,
          bool = std::is_same<const From, const To>::value>
struct converts
    : std::integral_constant<bool, sizeof(KREF_CPP_CALLS(From)) != 0 && sizeof(KREF_CPP_CALLS(To)) != 0 &&
                                       std::is_same<KREF_CPP_CALLS(From), KREF_CPP_CALLS(To)>::value> {
};
template <class From, class To> struct converts<From, To, true, true> : std::true_type {
};
template <class From, class To, bool Same> struct converts<From, To, false, Same> : std::false_type {
};
#undef KREF_CPP_CALLS

/* Addresses are compared as numbers: `<` on pointers orders only the elements of one array. */
inline std::uintptr_t address(const volatile void *pointer) noexcept
{
    return reinterpret_cast<std::uintptr_t>(pointer);
}

} // namespace detail

/** One reference on a T, or empty. The first page of this file describes it. */
template <class T> class ref
{
  public:
    typedef T element_type;
    typedef T *pointer;

    constexpr ref() noexcept : object_(nullptr) {}
    constexpr ref(std::nullptr_t) noexcept : object_(nullptr) {}
    KREF_CPP_INLINE ref(const ref &other) noexcept : ref(libkref::retain(other.object_)) {}
    KREF_CPP_INLINE ref(ref &&other) noexcept : object_(other.release()) {}
    template <class U, class = typename std::enable_if<detail::converts<U, T>::value>::type>
    KREF_CPP_INLINE ref(const ref<U> &other) noexcept : ref(ref<U>(other))
    {
    }
    template <class U, class = typename std::enable_if<detail::converts<U, T>::value>::type>
    KREF_CPP_INLINE ref(ref<U> &&other) noexcept : object_(other.release())
    {
    }
    KREF_CPP_INLINE ~ref() { detail::give_back(object_); }

    /* The new object is stored before the old one is given back: the free function may use this ref. */
    KREF_CPP_INLINE ref &operator=(ref other) noexcept
    {
        swap(other);
        return *this;
    }
    KREF_CPP_INLINE void reset() noexcept { ref().swap(*this); }
    KREF_CPP_INLINE void swap(ref &other) noexcept
    {
        T *object = object_;

        object_ = other.object_;
        other.object_ = object;
    }
    friend KREF_CPP_INLINE void swap(ref &one, ref &other) noexcept { one.swap(other); }

    /** The pointer, with its reference, which the caller must give back. This ref is empty then. */
    KREF_MUST_USE KREF_CPP_INLINE T *release() noexcept
    {
        T *object = object_;

        object_ = nullptr;
        return object;
    }

    constexpr T *get() const noexcept { return object_; }
    constexpr T *operator->() const noexcept { return object_; }
    constexpr T &operator*() const noexcept { return *object_; }
    constexpr explicit operator bool() const noexcept { return object_ != nullptr; }

    /** Whether this is the only reference: kref_is_unique(). An empty ref is not. */
    KREF_MUST_USE KREF_CPP_INLINE bool is_unique() const noexcept
    {
        return object_ && detail::is_unique(object_);
    }

  private:
    friend ref adopt<T>(T *object) noexcept;
    friend ref retain<T>(T *object) noexcept;
    friend ref retain_unless_zero<T>(T *object) noexcept;

    explicit constexpr ref(T *object, int) noexcept : object_(object) {}

    T *object_;
};

template <class T> KREF_CPP_INLINE ref<T> adopt(T *object) noexcept
{
    return ref<T>(object, 0);
}

template <class T> KREF_CPP_INLINE ref<T> retain(T *object) noexcept
{
    detail::take(object);
    return ref<T>(object, 0);
}

template <class T> KREF_CPP_INLINE ref<T> retain_unless_zero(T *object) noexcept
{
    return ref<T>(detail::take_unless_zero(object) ? object : nullptr, 0);
}

/* The type of a pointer is not deduced, so the pointer may be nullptr or NULL. */
#define KREF_CPP_COMPARE(result, op)                                                               \
    template <class T, class U> inline result operator op(const ref<T> &a, const ref<U> &b) noexcept \
    {                                                                                              \
        typedef typename std::common_type<T *, U *>::type pointer;                                 \
                                                                                                   \
        return detail::address(static_cast<pointer>(a.get()))                                      \
            op detail::address(static_cast<pointer>(b.get()));                                     \
    }                                                                                              \
    template <class T>                                                                             \
    inline result operator op(const ref<T> &a, const typename ref<T>::element_type *b) noexcept    \
    {                                                                                              \
        return detail::address(a.get()) op detail::address(b);                                     \
    }                                                                                              \
    template <class T>                                                                             \
    inline result operator op(const typename ref<T>::element_type *a, const ref<T> &b) noexcept    \
    {                                                                                              \
        return detail::address(a) op detail::address(b.get());                                     \
    }
KREF_CPP_COMPARE(bool, ==)
KREF_CPP_COMPARE(bool, !=)
KREF_CPP_COMPARE(bool, <)
KREF_CPP_COMPARE(bool, <=)
KREF_CPP_COMPARE(bool, >)
KREF_CPP_COMPARE(bool, >=)
#ifdef KREF_CPP_THREE_WAY
KREF_CPP_COMPARE(std::strong_ordering, <=>)
#endif
#undef KREF_CPP_COMPARE

/**
 * A base for classes of C++. The constructor makes one reference, which its caller adopts; the last reference
 * deletes the object:
 *
 *     class session : public libkref::counted<session>
 *     {
 *       public:
 *         explicit session(int id) : counted("session"), id_(id) {}
 *       private:
 *         int id_;
 *     };
 *
 *     libkref::ref<session> s = libkref::adopt(new session(5));
 *
 * The argument of counted() is the type's name in a tracker's reports, and may be left out. A copy of an
 * object has a count of its own. If another class is derived from session, session needs a virtual destructor;
 * otherwise the compiler refuses a ref to the derived class. With it, a ref to the derived class converts to
 * ref<session>. With a private destructor, write `friend class libkref::counted<session>;`.
 */
template <class T> class counted
{
  public:
    /* For ref<> only. KREF_DEFINE makes such a struct for its type. */
    struct kref_calls {
        static KREF_CPP_INLINE void take(counted *object) noexcept
        {
            if (object)
                kref_get(&object->kref_count);
        }
        static KREF_CPP_INLINE bool take_unless_zero(counted *object) noexcept
        {
            return object && kref_get_unless_zero(&object->kref_count);
        }
        template <class U> static KREF_CPP_INLINE void give_back(U *object) noexcept
        {
            static_assert(std::is_same<T, U>::value || std::has_virtual_destructor<T>::value,
                          "the last reference deletes the base of this type, which needs a virtual destructor");
            counted *base = object;

            if (base)
                kref_put(&base->kref_count, release);
        }
        static KREF_CPP_INLINE bool is_unique(const counted *object) noexcept
        {
            return kref_is_unique(&object->kref_count) != 0;
        }
    };

  protected:
    explicit counted(const char *type = nullptr) noexcept { kref_init_as(&kref_count, type); }
    counted(const counted &) noexcept : counted() {}
    counted &operator=(const counted &) noexcept { return *this; }
    /* If a constructor throws, and for an object on the stack, nobody puts the creator's reference. A tracker must
     * learn that the object is gone. */
    ~counted()
    {
        if (kref_read(&kref_count) == 1)
            static_cast<void>(!kref_count_dec_if_one(&kref_count.refcount));
    }

  private:
    static void release(struct kref *kref)
    {
        delete static_cast<T *>(kref_entry(kref, counted, kref_count));
    }

    struct kref kref_count;
};

} // namespace libkref

namespace std
{
template <class T> struct hash<libkref::ref<T>> {
    size_t operator()(const libkref::ref<T> &object) const noexcept { return hash<T *>()(object.get()); }
};
} // namespace std

#endif /* KREF_HPP */
