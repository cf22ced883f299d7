/*
 * A text editor. Windows show buffers, marks point into buffers, the list of buffers keeps them,
 * and a command that runs keeps the buffer that was current when it began.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUFFERS = 12, WINDOWS = 5, RING = 8, COMMANDS = 150, HOOKS = 4 };

struct buffer {
    struct kref kref;
    int name, length, killed;
};

struct mark {
    struct kref kref;
    struct buffer *buffer;
    int position;
};

static struct buffer *list[BUFFERS], *windows[WINDOWS], *current;
static struct mark *ring[RING];
static int next_mark, killed, switches, jumps;

static void buffer_free(struct kref *kref)
{
    free(kref_entry(kref, struct buffer, kref));
}

static void put_buffer(struct buffer *buffer)
{
    if (buffer)
        kref_put(&buffer->kref, buffer_free);
}

static struct buffer *get_buffer(struct buffer *buffer)
{
    if (buffer)
        kref_get(&buffer->kref);
    return buffer;
}

static void mark_free(struct kref *kref)
{
    struct mark *mark = kref_entry(kref, struct mark, kref);

    put_buffer(mark->buffer); /* put: mark's buffer */
    free(mark);
}

/* Finds or makes the buffer; the caller owns the reference that is returned. */
static struct buffer *buffer_named(int name)
{
    struct buffer *buffer = list[name];

    if (buffer)
        return get_buffer(buffer); /* get: named */
    buffer = calloc(1, sizeof *buffer);
    if (!buffer)
        abort();
    kref_init(&buffer->kref); /* get: list */
    buffer->name = name;
    list[name] = buffer;
    get_buffer(buffer); /* get: named */
    return buffer;
}

static void set_current(struct buffer *buffer)
{
    struct buffer *before = current;

    if (buffer == before)
        return;
    current = get_buffer(buffer); /* get: current */
    if (before)
        put_buffer(before); /* put: current */
    switches++;
}

static void show(int window, struct buffer *buffer)
{
    if (windows[window])
        put_buffer(windows[window]); /* put: window */
    windows[window] = buffer;
    get_buffer(buffer); /* get: window */
}

static struct mark *mark_new(struct buffer *buffer, int position)
{
    struct mark *mark = malloc(sizeof *mark);

    if (!mark)
        abort();
    kref_init(&mark->kref); /* get: ring */
    mark->position = position;
    mark->buffer = get_buffer(buffer); /* get: mark's buffer */
    return mark;
}

static void push_mark(struct buffer *buffer, int position)
{
    struct mark **place = &ring[next_mark++ % RING];

    if (*place)
        kref_put(&(*place)->kref, mark_free); /* put: ring */
    *place = mark_new(buffer, position);
}

static void jump(int back)
{
    struct mark *mark = ring[(next_mark + RING - 1 - back) % RING];

    if (!mark)
        return;
    kref_get(&mark->kref); /* get: jump */
    push_mark(mark->buffer, mark->position + 1);
    set_current(mark->buffer);
    jumps++;
    kref_put(&mark->kref, mark_free); /* put: jump */
}

static void kill_buffer(int name)
{
    struct buffer *buffer = list[name];
    int i;

    if (!buffer)
        return;
    for (i = 0; i < WINDOWS; i++)
        if (windows[i] == buffer)
            show(i, list[0]);
    if (current == buffer)
        set_current(list[0]);
    list[name] = NULL;
    buffer->killed = 1;
    killed++;
    put_buffer(buffer); /* put: list */
}

static void find_file(int name, int window)
{
    struct buffer *buffer = buffer_named(name);

    show(window, buffer);
    set_current(buffer);
    put_buffer(buffer); /* put: named */
}

static void insert(int number)
{
    if (number % 4 == 0)
        push_mark(current, current->length);
    current->length += number;
}

/* The command may switch to another buffer, or kill this one. */
static void command(int number)
{
    struct buffer *before = get_buffer(current); /* get: command */

    if (number % 5 == 0)
        find_file(number * 7 % BUFFERS, number % WINDOWS);
    else if (number % 13 == 12)
        kill_buffer(1 + number % (BUFFERS - 1));
    else if (number % 7 == 6)
        jump(number % RING);
    else
        insert(number);
    before->length++;
    put_buffer(before); /* put: command */
}

int main(void)
{
    int i;

    find_file(0, 0);
    for (i = 1; i < COMMANDS; i++)
        command(i);
    for (i = 0; i < RING; i++)
        if (ring[i])
            kref_put(&ring[i]->kref, mark_free); /* put: ring */
    for (i = 0; i < WINDOWS; i++)
        if (windows[i])
            put_buffer(windows[i]); /* put: window */
    set_current(NULL);
    for (i = 0; i < BUFFERS; i++)
        if (list[i])
            put_buffer(list[i]); /* put: list */
    printf("%d killed, %d switches, %d jumps\n", killed, switches, jumps);
    return 0;
}
