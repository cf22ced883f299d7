// Code with a percpu_ref as in the kernel: its headers and names are the kernel's.
#include <linux/percpu-refcount.h>

#include <stdio.h>

struct queue {
	struct percpu_ref usage;
	bool frozen;
};

static bool done;

static void queue_usage_release(struct percpu_ref *ref)
{
	struct queue *q = container_of(ref, struct queue, usage);

	printf("queue %s\n", q->frozen ? "drained" : "lost");
	done = true;
}

static void queue_confirm(struct percpu_ref *ref)
{
	container_of(ref, struct queue, usage)->frozen = true;
}

static int queue_init(struct queue *q)
{
	percpu_ref_func_t *release = queue_usage_release;

	q->frozen = false;
	return percpu_ref_init(&q->usage, release, PERCPU_REF_ALLOW_REINIT, GFP_KERNEL);
}

static bool queue_enter(struct queue *q)
{
	return percpu_ref_tryget_live(&q->usage);
}

static void queue_exit(struct queue *q)
{
	percpu_ref_put(&q->usage);
}

int main(void)
{
	struct queue q;

	if (queue_init(&q))
		return 1;
	if (!queue_enter(&q))
		return 1;
	percpu_ref_kill_and_confirm(&q.usage, queue_confirm);
	if (queue_enter(&q) || done)
		return 1;
	queue_exit(&q);
	if (!done || !percpu_ref_is_zero(&q.usage))
		return 1;
	percpu_ref_reinit(&q.usage);
	if (!queue_enter(&q) || percpu_ref_is_dying(&q.usage))
		return 1;
	queue_exit(&q);
	percpu_ref_kill(&q.usage);
	percpu_ref_exit(&q.usage);
	return 0;
}
