// Code of the kernel in a port that has its own struct mutex and spinlock_t: its headers and names are the kernel's.
#include <linux/kref.h>
#include <linux/refcount.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <track.h>

#include <stdio.h>

struct entry {
	struct kref ref;
	refcount_t users;
	int id;
};

static DEFINE_MUTEX(table_lock);
static DEFINE_SPINLOCK(list_lock);
static DEFINE_SPINLOCK(hash_lock);
static int in_table;

static void entry_release(struct kref *ref)
{
	struct entry *e = container_of(ref, struct entry, ref);

	in_table--;
	mutex_unlock(&table_lock);
	printf("entry %d released\n", e->id);
}

static void entry_release_list(struct kref *ref)
{
	(void)ref;
	in_table--;
	spin_unlock(&list_lock);
}

// As in the kernel: the reference counter's old value goes into a trace.
static void entry_get(struct entry *e)
{
	int r;

	__refcount_inc(&e->users, &r);
	printf("entry %d get %d\n", e->id, r + 1);
}

static bool entry_put(struct entry *e)
{
	bool dead;
	int r;

	dead = __refcount_dec_and_test(&e->users, &r);
	printf("entry %d put %d\n", e->id, r - 1);
	return dead;
}

int main(void)
{
	struct entry e;
	unsigned long flags;
	int old;

	e.id = 3;
	in_table = 2;
	kref_init(&e.ref);
	kref_get(&e.ref);
	if (kref_put_mutex(&e.ref, entry_release, &table_lock) || mutex_is_locked(&table_lock))
		return 1;
	if (!kref_put_mutex(&e.ref, entry_release, &table_lock) || mutex_is_locked(&table_lock))
		return 2;
	kref_init(&e.ref);
	kref_get(&e.ref);
	if (kref_put_lock(&e.ref, entry_release_list, &list_lock) || spin_is_locked(&list_lock))
		return 3;
	if (!kref_put_lock(&e.ref, entry_release_list, &list_lock) || in_table)
		return 4;

	refcount_set(&e.users, PORT_TRACKS);
	entry_get(&e);
	if (entry_put(&e) || !entry_put(&e))
		return 5;
	refcount_set(&e.users, 1);
	if (__refcount_inc_not_zero_limited_acquire(&e.users, &old, 1) || old != 1)
		return 6;
	if (!refcount_dec_and_mutex_lock(&e.users, &table_lock) || !mutex_is_locked(&table_lock))
		return 7;
	mutex_unlock(&table_lock);
	refcount_set(&e.users, 2);
	if (refcount_dec_and_lock(&e.users, &list_lock) || spin_is_locked(&list_lock))
		return 8;
	if (!refcount_dec_and_lock(&e.users, &list_lock) || !spin_is_locked(&list_lock))
		return 9;
	spin_unlock(&list_lock);
	refcount_set(&e.users, 2);
	if (refcount_dec_and_lock_irqsave(&e.users, &hash_lock, &flags) || spin_is_locked(&hash_lock))
		return 10;
	if (!refcount_dec_and_lock_irqsave(&e.users, &hash_lock, &flags) || !spin_is_locked(&hash_lock))
		return 11;
	spin_unlock_irqrestore(&hash_lock, flags);
	return 0;
}
