// Code with a kref as in the kernel: its headers and names are the kernel's.
#include <linux/kref.h>
#include <linux/refcount.h>

#include <stdlib.h> // in place of kfree, kzalloc and printk
#include <stdio.h>

struct session {
	struct kref ref;
	refcount_t users;
	int id;
	struct session *next;
};

static pthread_mutex_t sessions_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_spinlock_t stats_lock;
static struct session *sessions;
static struct kref boot_ref = KREF_INIT(1);
static refcount_t boot_users = REFCOUNT_INIT(2);

static void session_release(struct kref *ref)
{
	struct session *s = container_of(ref, struct session, ref);
	struct session **link = &sessions;

	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	pthread_mutex_unlock(&sessions_lock);
	printf("session %d released\n", s->id);
	free(s);
}

static void session_put(struct session *s)
{
	kref_put_mutex(&s->ref, session_release, &sessions_lock);
}

static struct session *session_get(int id)
{
	struct session *s;

	pthread_mutex_lock(&sessions_lock);
	for (s = sessions; s; s = s->next)
		if (s->id == id && kref_get_unless_zero(&s->ref))
			break;
	pthread_mutex_unlock(&sessions_lock);
	return s;
}

static void no_release(struct kref *ref)
{
	(void)ref;
}

int main(void)
{
	struct session *s = calloc(1, sizeof(*s));
	unsigned long flags;
	bool last;

	kref_init(&s->ref);
	refcount_set(&s->users, 1);
	s->id = 7;
	s->next = sessions;
	sessions = s;

	if (session_get(7) != s || session_get(8))
		return 1;
	refcount_inc(&s->users);
	refcount_add(3, &s->users);
	if (!refcount_inc_not_zero(&s->users) || !refcount_add_not_zero(1, &s->users))
		return 1;
	refcount_dec(&s->users);
	if (refcount_sub_and_test(4, &s->users) || refcount_read(&s->users) != 2)
		return 1;
	if (!refcount_dec_not_one(&s->users) || refcount_dec_not_one(&s->users))
		return 1;
	last = refcount_dec_if_one(&s->users);
	if (!last || refcount_inc_not_zero_acquire(&s->users))
		return 1;
	refcount_set(&s->users, 1);
	pthread_spin_init(&stats_lock, PTHREAD_PROCESS_PRIVATE);
	if (!refcount_dec_and_lock(&s->users, &stats_lock))
		return 1;
	pthread_spin_unlock(&stats_lock);
	refcount_set(&s->users, 1);
	if (!refcount_dec_and_lock_irqsave(&s->users, &stats_lock, &flags) || flags)
		return 1;
	pthread_spin_unlock(&stats_lock);
	refcount_set_release(&s->users, REFCOUNT_MAX);
	if (!refcount_add_not_zero_acquire(0, &s->users))
		return 1;

	if (kref_put(&boot_ref, no_release) != 1 || refcount_dec_and_test(&boot_users))
		return 1;
	if (!refcount_dec_and_mutex_lock(&boot_users, &sessions_lock))
		return 1;
	pthread_mutex_unlock(&sessions_lock);
	if (kref_read(&s->ref) != 2)
		return 1;
	session_put(s);
	session_put(s);
	return sessions ? 1 : 0;
}
