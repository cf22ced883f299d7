/* Messages: a lock protects the count, and each message has data and a function that frees the data. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct message {
    pthread_mutex_t lock;
    int refs;
    void *data;
    void (*fini)(void *data);
};

static struct message *message_new(void *data, void (*fini)(void *data))
{
    struct message *message = malloc(sizeof *message);

    if (!message)
        abort();
    pthread_mutex_init(&message->lock, NULL);
    message->refs = 1;
    message->data = data;
    message->fini = fini;
    return message;
}

static void message_hold(struct message *message)
{
    pthread_mutex_lock(&message->lock);
    message->refs++;
    pthread_mutex_unlock(&message->lock);
}

static void message_release(struct message *message)
{
    int refs;

    pthread_mutex_lock(&message->lock);
    refs = --message->refs;
    pthread_mutex_unlock(&message->lock);
    if (refs == 0) {
        message->fini(message->data);
        pthread_mutex_destroy(&message->lock);
        free(message);
    }
}

static void *receive(void *arg)
{
    struct message *message = arg;

    printf("received %s\n", (char *)message->data);
    message_release(message);
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

    message_hold(message);
    if (pthread_create(&thread, NULL, receive, message))
        abort();
    pthread_join(thread, NULL);
    message_release(message);
    return 0;
}
