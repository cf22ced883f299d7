/*
 * Moving entries from the waiting list to the done list copies the pointers, and both lists are freed with
 * their entries: one reference is put by both. Seen where a list is spliced and not emptied.
 *
 * found by: put-after-release
 */
#include "check.h"

#define MOST 4

struct task {
    int number;
    struct kref kref;
};

struct list {
    struct task *tasks[MOST];
    int length;
};

static void task_release(struct kref *kref)
{
    free(kref_entry(kref, struct task, kref));
}

static void list_add(struct list *list, struct task *task)
{
    list->tasks[list->length++] = task;
}

static void list_free(struct list *list)
{
    for (int i = 0; i < list->length; i++)
        kref_put(&list->tasks[i]->kref, task_release); /* BLAME */
    list->length = 0;
}

int main(void)
{
    struct list waiting = { .length = 0 }, done = { .length = 0 };

    for (int i = 0; i < MOST; i++) {
        struct task *task = calloc(1, sizeof *task);

        CHECK(task);
        kref_init(&task->kref);
        task->number = i;
        list_add(&waiting, task);
    }
    for (int i = 0; i < waiting.length; i++)
        list_add(&done, waiting.tasks[i]);
#ifdef RIGHT
    waiting.length = 0; /* FIX */
#endif
    list_free(&done);
    list_free(&waiting);
    return 0;
}
