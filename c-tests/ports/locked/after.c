/* Messages: the count needs no lock, and each message has data and a function that frees the data. */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

struct message {
    struct kref kref;
    void *data;
    void (*fini)(void *data);
};

static struct message *message_new(void *data, void (*fini)(void *data))
{
    struct message *message = malloc(sizeof *message);

    if (!message)
        abort();
    kref_init(&message->kref);
    message->data = data;
    message->fini = fini;
    return message;
}

static void message_free(struct message *message)
{
    message->fini(message->data);
    free(message);
}

KREF_DEFINE(message, struct message, kref, message_free);

static void *receive(void *arg)
{
    struct message *message = arg;

    printf("received %s\n", (char *)message->data);
    message_unref(message);
    return NULL;
}

static void text_fini(void *data)
{
    printf("%s freed\n", (char *)data);
}

int main(void)
{
    char text[] = "hello";
    struct message *message = message_new(text, text_fini);
    pthread_t thread;

    if (pthread_create(&thread, NULL, receive, message_ref(message)))
        abort();
    pthread_join(thread, NULL);
    message_unref(message);
    return 0;
}
