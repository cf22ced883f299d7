#include <stdlib.h>

#include "host.h"

static struct task *tasks;
static int now;

static void task_free(struct kref *kref)
{
    struct task *task = kref_entry(kref, struct task, kref);

    plugin_unref(task->plugin); /* put: task's plugin */
    free(task);
}

void task_unref(struct task *task)
{
    kref_put(&task->kref, task_free);
}

static struct task *task_new(struct plugin *plugin, int delay, void (*run)(struct plugin *, int),
                             int argument)
{
    struct task *task = calloc(1, sizeof *task);

    if (!task)
        abort();
    kref_init(&task->kref); /* get: task's owner */
    task->plugin = plugin_ref(plugin); /* get: task's plugin */
    task->run = run;
    task->argument = argument;
    task->due = now + delay;
    return task;
}

static void add(struct task *task)
{
    kref_get(&task->kref); /* get: schedule */
    task->next = tasks;
    tasks = task;
}

/* Returns the task with a reference, so that the caller can cancel it. */
struct task *schedule(struct plugin *plugin, int delay, void (*run)(struct plugin *, int),
                      int argument)
{
    struct task *task = task_new(plugin, delay, run, argument);

    add(task);
    return task;
}

void schedule_detached(struct plugin *plugin, int delay, void (*run)(struct plugin *, int),
                       int argument)
{
    struct task *task = task_new(plugin, delay, run, argument);

    add(task);
    task_unref(task); /* put: task's owner */
}

static void take_out(struct task *task)
{
    struct task **place = &tasks;

    while (*place && *place != task)
        place = &(*place)->next;
    if (!*place)
        return;
    *place = task->next;
    task_unref(task); /* put: schedule */
}

void task_cancel(struct task *task)
{
    task->cancelled = 1;
    take_out(task);
}

/* Runs what is due, and returns how much is left. */
int schedule_run(void)
{
    struct task **place = &tasks, *due = NULL, *task;
    int left = 0;

    now++;
    while ((task = *place)) {
        if (task->due > now) {
            place = &task->next;
            left++;
            continue;
        }
        *place = task->next;
        task->next = due;
        due = task;
    }
    while ((task = due)) {
        due = task->next;
        if (!task->cancelled && !task->plugin->stopped)
            task->run(task->plugin, task->argument);
        task_unref(task); /* put: schedule */
    }
    return left;
}
