/* A host of plugins: what plugins see of it. */
#ifndef HOST_H
#define HOST_H

#include <kref.h>

enum { TOPICS = 6, MOST_SERVICES = 8, MOST_USED = 3 };

struct plugin;
struct message;

/* What a plugin implements. */
struct plugin_calls {
    const char *name;
    void (*start)(struct plugin *plugin);
    void (*on_message)(struct plugin *plugin, struct message *message);
    void (*stop)(struct plugin *plugin);
};

struct plugin {
    struct kref kref;
    const struct plugin_calls *calls;
    int number, stopped, heard, asked;
    struct service *used[MOST_USED];
    struct task *chore;
    struct message *kept;
};

/* A service is what one plugin offers to others. */
struct service {
    struct kref kref;
    int name;
    struct plugin *provider;
    int (*ask)(struct plugin *provider, int question);
};

struct value {
    struct kref kref;
    int number;
};

/* A message shares the value that it carries. */
struct message {
    struct kref kref;
    int topic;
    struct value *value;
};

/* A task is work for later. */
struct task {
    struct kref kref;
    struct plugin *plugin;
    void (*run)(struct plugin *plugin, int argument);
    int argument, due, cancelled;
    struct task *next;
};

/* plugin.c */
struct plugin *plugin_load(const struct plugin_calls *calls);
struct plugin *plugin_find(const char *name);
void plugin_unload(struct plugin *plugin);
struct plugin *plugin_ref(struct plugin *plugin);
void plugin_unref(struct plugin *plugin);
void plugins_unload(void);
extern int plugins_alive;

/* service.c */
void service_offer(struct plugin *provider, int name, int (*ask)(struct plugin *, int));
void services_withdraw(struct plugin *provider);
struct service *service_find(int name);
void service_unref(struct service *service);
int service_ask(struct service *service, int question);

/* bus.c */
void subscribe(struct plugin *plugin, int topic);
void unsubscribe(struct plugin *plugin);
void publish(int topic, struct value *value);
int bus_run(int most);
struct message *message_ref(struct message *message);
void message_unref(struct message *message);
struct message *bus_last(int topic);
void bus_clear(void);

/* settings.c */
struct value *value_new(int number);
void value_unref(struct value *value);
void setting_set(int name, int number);
struct value *setting_get(int name);
void settings_clear(void);

/* schedule.c */
struct task *schedule(struct plugin *plugin, int delay, void (*run)(struct plugin *, int),
                      int argument);
void schedule_detached(struct plugin *plugin, int delay, void (*run)(struct plugin *, int),
                       int argument);
void task_cancel(struct task *task);
void task_unref(struct task *task);
int schedule_run(void);

#endif
