/*
 * Subjects and observers. A subject holds its observers while they are attached; an observer
 * holds the subject that it observes; a notification in flight holds both. Detaching breaks the
 * cycle.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { SUBJECTS = 5, OBSERVERS = 20, CHANGES = 90, QUEUE = 256 };

struct subject {
    struct kref kref;
    int value, count;
    struct observer *attached[OBSERVERS];
};

struct observer {
    struct kref kref;
    int heard, patience;
    struct subject *subject;
};

struct notification {
    struct subject *subject;
    struct observer *observer;
    int value;
};

static struct notification queue[QUEUE];
static int head, tail, delivered, late;

static void subject_free(struct kref *kref)
{
    free(kref_entry(kref, struct subject, kref));
}

static void observer_free(struct kref *kref)
{
    free(kref_entry(kref, struct observer, kref));
}

static void attach(struct observer *observer, struct subject *subject)
{
    kref_get(&observer->kref); /* get: attached */
    subject->attached[subject->count++] = observer;
    kref_get(&subject->kref); /* get: observed */
    observer->subject = subject;
}

static void detach(struct observer *observer)
{
    struct subject *subject = observer->subject;
    int i;

    if (!subject)
        return;
    observer->subject = NULL;
    for (i = 0; subject->attached[i] != observer; i++)
        ;
    subject->attached[i] = subject->attached[--subject->count];
    kref_put(&observer->kref, observer_free); /* put: attached */
    kref_put(&subject->kref, subject_free); /* put: observed */
}

static void notify(struct subject *subject, struct observer *observer)
{
    struct notification *next = &queue[tail++ % QUEUE];

    next->subject = subject;
    kref_get(&subject->kref); /* get: news' subject */
    next->observer = observer;
    kref_get(&observer->kref); /* get: news' reader */
    next->value = subject->value;
}

static void change(struct subject *subject, int value)
{
    int i;

    subject->value = value;
    for (i = 0; i < subject->count; i++)
        notify(subject, subject->attached[i]);
}

static void deliver(struct notification *news)
{
    if (news->observer->subject == news->subject) {
        news->observer->heard++;
        delivered++;
        if (news->observer->heard == news->observer->patience)
            detach(news->observer);
    } else {
        late++;
    }
    kref_put(&news->subject->kref, subject_free); /* put: news' subject */
    kref_put(&news->observer->kref, observer_free); /* put: news' reader */
}

static struct subject *new_subject(void)
{
    struct subject *subject = calloc(1, sizeof *subject);

    if (!subject)
        abort();
    kref_init(&subject->kref); /* get: model */
    return subject;
}

static struct observer *new_observer(int patience)
{
    struct observer *observer = calloc(1, sizeof *observer);

    if (!observer)
        abort();
    kref_init(&observer->kref); /* get: view */
    observer->patience = patience;
    return observer;
}

int main(void)
{
    struct subject *subjects[SUBJECTS];
    struct observer *observers[OBSERVERS];
    int i;

    for (i = 0; i < SUBJECTS; i++)
        subjects[i] = new_subject();
    for (i = 0; i < OBSERVERS; i++) {
        observers[i] = new_observer(1 + i % 7 * 5);
        attach(observers[i], subjects[i % SUBJECTS]);
    }
    for (i = 0; i < CHANGES; i++) {
        change(subjects[i * 3 % SUBJECTS], i);
        while (head + (i % 3) < tail)
            deliver(&queue[head++ % QUEUE]);
    }
    for (i = 0; i < SUBJECTS; i++)
        kref_put(&subjects[i]->kref, subject_free); /* put: model */
    while (head < tail)
        deliver(&queue[head++ % QUEUE]);
    for (i = 0; i < OBSERVERS; i++) {
        detach(observers[i]);
        kref_put(&observers[i]->kref, observer_free); /* put: view */
    }
    printf("%d delivered, %d late\n", delivered, late);
    return 0;
}
