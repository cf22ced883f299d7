/*
 * What kref/tsan.h announces to ThreadSanitizer about kref, refcount and slots: in each pair one
 * thread writes and puts or publishes, and the other takes what is left and writes. See
 * announced.h. headers.rs removes each announcement, and then ThreadSanitizer must report a race.
 *
 * tools: tsan
 */
#include "announced.h"

struct object {
    struct kref kref;
    struct kref_slot slot;
    int data; /* written by one thread before give, by the other after take; no lock */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_spinlock_t spin;

#define COUNT (&object->kref.refcount)
/* The release function of the last put, which is ordered after the other thread's write. */
static void write_data(struct kref *kref)
{
    kref_entry(kref, struct object, kref)->data = 2;
}

static void write_and_unlock(struct kref *kref)
{
    write_data(kref);
    pthread_mutex_unlock(&mutex);
}

static void write_and_unlock_spin(struct kref *kref)
{
    write_data(kref);
    pthread_spin_unlock(&spin);
}

PAIR(made_anew, kref_count_set_release(COUNT, 1), CHECK(kref_count_inc_not_zero_acquire(COUNT)))
PAIR(made_anew_for_many, kref_count_set_release(COUNT, 1),
     CHECK(kref_count_add_not_zero_acquire(2, COUNT)))
PAIR(dec, kref_count_dec(COUNT), CHECK(kref_count_dec_if_one(COUNT)))
PAIR(dec_not_one, CHECK(kref_count_dec_not_one(COUNT)), CHECK(kref_count_dec_if_one(COUNT)))
PAIR(dec_and_test, CHECK(!kref_count_dec_and_test(COUNT)), CHECK(kref_count_dec_and_test(COUNT)))
PAIR(sub_and_test, CHECK(!kref_count_sub_and_test(1, COUNT)),
     CHECK(kref_count_sub_and_test(1, COUNT)))
/*
 * No function of libkref acquires from a count of zero. A program may do so with a fence, but
 * ThreadSanitizer ignores fences. So this pair loads the count itself.
 */
PAIR(dec_if_one, CHECK(kref_count_dec_if_one(COUNT)),
     CHECK(__atomic_load_n(&COUNT->refs, __ATOMIC_ACQUIRE) == INT_MAX))
PAIR(dec_and_mutex_lock, CHECK(!kref_count_dec_and_mutex_lock(COUNT, &mutex)),
     CHECK(kref_count_dec_and_mutex_lock(COUNT, &mutex)); write_and_unlock(&object->kref))
PAIR(dec_and_lock, CHECK(!kref_count_dec_and_lock(COUNT, &spin)),
     CHECK(kref_count_dec_and_lock(COUNT, &spin)); write_and_unlock_spin(&object->kref))
PAIR(put, CHECK(!kref_put(&object->kref, write_data)), CHECK(kref_put(&object->kref, write_data)))
PAIR(put_as, CHECK(!kref_put_as(&object->kref, write_data, "one")),
     CHECK(kref_put_as(&object->kref, write_data, "other")))
PAIR(put_many, CHECK(!kref_put_many(&object->kref, 1, write_data)),
     CHECK(kref_put_many(&object->kref, 1, write_data)))
PAIR(is_unique, CHECK(!kref_put(&object->kref, write_data)), CHECK(kref_is_unique(&object->kref)))
PAIR(put_mutex, CHECK(!kref_put_mutex(&object->kref, write_and_unlock, &mutex)),
     CHECK(kref_put_mutex(&object->kref, write_and_unlock, &mutex)))
PAIR(put_lock, CHECK(!kref_put_lock(&object->kref, write_and_unlock_spin, &spin)),
     CHECK(kref_put_lock(&object->kref, write_and_unlock_spin, &spin)))
PAIR(slot_get, CHECK(!kref_slot_replace(&object->slot, &object->kref)),
     CHECK(kref_slot_get(&object->slot) == &object->kref))
PAIR(slot_replace, CHECK(!kref_slot_replace(&object->slot, &object->kref)),
     CHECK(kref_slot_replace(&object->slot, NULL) == &object->kref))

static const struct pair {
    int count;
    void (*give)(struct object *object), (*take)(struct object *object);
} pairs[] = {
    { 0, give_made_anew, take_made_anew },
    { 0, give_made_anew_for_many, take_made_anew_for_many },
    { 2, give_dec, take_dec },
    { 2, give_dec_not_one, take_dec_not_one },
    { 2, give_dec_and_test, take_dec_and_test },
    { 2, give_sub_and_test, take_sub_and_test },
    { 1, give_dec_if_one, take_dec_if_one },
    { 2, give_dec_and_mutex_lock, take_dec_and_mutex_lock },
    { 2, give_dec_and_lock, take_dec_and_lock },
    { 2, give_put, take_put },
    { 2, give_put_as, take_put_as },
    { 2, give_put_many, take_put_many },
    { 2, give_is_unique, take_is_unique },
    { 2, give_put_mutex, take_put_mutex },
    { 2, give_put_lock, take_put_lock },
    { 2, give_slot_get, take_slot_get },
    { 2, give_slot_replace, take_slot_replace },
};

int main(void)
{
    size_t i;

    CHECK(!pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE));
    for (i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct object *object = calloc(1, sizeof *object);

        CHECK(object);
        kref_count_set(COUNT, pairs[i].count);
        run_pair(pairs[i].give, pairs[i].take, object, &object->data);
        free(object);
    }
    return 0;
}
