/* Compiled, and not run: codegen.rs reads the assembly of these functions. */
#include <linux/refcount.h>

struct object {
    struct kref kref;
};

void release_it(struct kref *kref);
void object_free(struct object *object);
KREF_DEFINE(object, struct object, kref, object_free);

struct session {
    int id;
    struct kref kref;
};

void session_cleanup(struct session *session);
KREF_POOL_DEFINE(session, struct session, kref, session_cleanup);

void test_init(struct kref *kref);
void test_get(struct kref *kref);
void test_get_as(struct kref *kref);
int test_put(struct kref *kref);
void test_typed_init(struct object *object);
struct object *test_ref(struct object *object);
void test_unref(struct object *object);
int test_put_as(struct kref *kref);
int test_get_unless_zero(struct kref *kref);
void test_inc(refcount_t *count);
int test_dec_and_test(refcount_t *count);
int test_inc_not_zero(refcount_t *count);
struct kref *test_pool_get(struct kref_pool *pool, uint64_t handle);
struct session *test_by_handle(uint64_t handle);
void test_percpu_get(struct percpu_ref *ref);
void test_percpu_put(struct percpu_ref *ref);
int test_percpu_tryget(struct percpu_ref *ref);
struct percpu_ref *test_percpu_slot_get(struct percpu_ref_slot *slot);

void test_init(struct kref *kref)
{
    kref_init(kref);
}

void test_get(struct kref *kref)
{
    kref_get(kref);
}

void test_get_as(struct kref *kref)
{
    kref_get_as(kref, "holder");
}

int test_put(struct kref *kref)
{
    return kref_put(kref, release_it);
}

void test_typed_init(struct object *object)
{
    object_ref_init(object);
}

struct object *test_ref(struct object *object)
{
    return object_ref(object);
}

void test_unref(struct object *object)
{
    object_unref(object);
}

int test_put_as(struct kref *kref)
{
    return kref_put_as(kref, release_it, "holder");
}

int test_get_unless_zero(struct kref *kref)
{
    return kref_get_unless_zero(kref);
}

void test_inc(refcount_t *count)
{
    refcount_inc(count);
}

int test_dec_and_test(refcount_t *count)
{
    return refcount_dec_and_test(count);
}

int test_inc_not_zero(refcount_t *count)
{
    return refcount_inc_not_zero(count);
}

struct kref *test_pool_get(struct kref_pool *pool, uint64_t handle)
{
    return kref_pool_get(pool, handle);
}

struct session *test_by_handle(uint64_t handle)
{
    return session_by_handle(handle);
}

void test_percpu_get(struct percpu_ref *ref)
{
    percpu_ref_get(ref);
}

void test_percpu_put(struct percpu_ref *ref)
{
    percpu_ref_put(ref);
}

int test_percpu_tryget(struct percpu_ref *ref)
{
    return percpu_ref_tryget(ref);
}

struct percpu_ref *test_percpu_slot_get(struct percpu_ref_slot *slot)
{
    return percpu_ref_slot_get(slot);
}
