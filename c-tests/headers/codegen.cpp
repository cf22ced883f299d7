/*
 * Compiled, and not run: codegen_cpp.rs reads the assembly. Each function with ref<object> has a twin with the calls of C
 * alone, and must have the same hot path.
 */
#include <kref.hpp>
#include <utility>

struct object {
    struct kref kref;
};
using ref = libkref::ref<object>;

/* noexcept, as C is: otherwise the end of a ref is prepared to call std::terminate(). */
void object_free(object *object) noexcept;
KREF_DEFINE(object, object, kref, object_free);

int use(object *object) noexcept;

extern "C" {
object *cpp_retain(object *object);
object *c_retain(object *object);
object *cpp_retain_unless_zero(object *object);
object *c_retain_unless_zero(object *object);
void cpp_adopt(object *object);
void c_adopt(object *object);
object *cpp_move(object *object);
object *c_move(object *object);
int cpp_scope(object *object);
int c_scope(object *object);
void cpp_copy_assign(ref *to, const ref *from);
void c_copy_assign(object **to, object *const *from);
void cpp_move_assign(ref *to, ref *from);
void c_move_assign(object **to, object **from);
}

object *cpp_retain(object *object)
{
    return libkref::retain(object).release();
}

object *c_retain(object *object)
{
    return object_ref(object);
}

object *cpp_retain_unless_zero(object *object)
{
    return libkref::retain_unless_zero(object).release();
}

object *c_retain_unless_zero(object *object)
{
    return object_ref_unless_zero(object);
}

void cpp_adopt(object *object)
{
    ref adopted = libkref::adopt(object);
}

void c_adopt(object *object)
{
    object_unref(object);
}

object *cpp_move(object *object)
{
    ref one = libkref::adopt(object), two = std::move(one), three;

    three = std::move(two);
    return three.release();
}

object *c_move(object *object)
{
    return object;
}

int cpp_scope(object *object)
{
    ref held = libkref::retain(object);

    return use(held.get());
}

int c_scope(object *object)
{
    struct object *held = object_ref(object);
    int used = use(held);

    object_unref(held);
    return used;
}

void cpp_copy_assign(ref *to, const ref *from)
{
    *to = *from;
}

void c_copy_assign(object **to, object *const *from)
{
    object *taken = object_ref(*from), *old = *to;

    *to = taken;
    object_unref(old);
}

void cpp_move_assign(ref *to, ref *from)
{
    *to = std::move(*from);
}

void c_move_assign(object **to, object **from)
{
    object *moved = *from, *old;

    *from = NULL;
    old = *to;
    *to = moved;
    object_unref(old);
}
