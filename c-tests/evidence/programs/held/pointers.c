/*
 * Counted pointers as C++ has them, written in C: each variable of type struct doc_ptr owns a
 * reference. Copies get, moves do not, and reset puts. Tabs, a clipboard and a list of closed
 * tabs have them.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { TABS = 10, CLOSED = 5, STEPS = 200, SAVES = 4 };

struct doc {
    struct kref kref;
    int id, edits, saved;
};

struct doc_ptr {
    struct doc *object;
};

static struct doc_ptr tabs[TABS], closed[CLOSED], clipboard, saving[SAVES];
static int docs, edits, next_closed, nsaving, saves;

static void doc_delete(struct kref *kref)
{
    docs--;
    free(kref_entry(kref, struct doc, kref));
}

static inline struct doc_ptr doc_ptr_adopt(struct doc *object)
{
    return (struct doc_ptr){ object };
}

static inline struct doc_ptr doc_ptr_copy(struct doc_ptr from)
{
    if (from.object)
        kref_get(&from.object->kref);
    return from;
}

static inline struct doc_ptr doc_ptr_move(struct doc_ptr *from)
{
    struct doc_ptr moved = *from;

    from->object = NULL;
    return moved;
}

static inline void doc_ptr_reset(struct doc_ptr *pointer)
{
    struct doc *object = pointer->object;

    pointer->object = NULL;
    if (object)
        kref_put(&object->kref, doc_delete);
}

static struct doc_ptr doc_new(int id)
{
    struct doc *doc = calloc(1, sizeof *doc);

    if (!doc)
        abort();
    docs++;
    doc->id = id;
    kref_init(&doc->kref); /* get: tab */
    return doc_ptr_adopt(doc);
}

static void tab_close(int i)
{
    struct doc_ptr *place = &closed[next_closed++ % CLOSED];

    if (place->object)
        doc_ptr_reset(place); /* put: closed */
    *place = doc_ptr_copy(tabs[i]); /* get: closed */
    doc_ptr_reset(&tabs[i]); /* put: tab */
}

static void tab_reopen(int i)
{
    struct doc_ptr *last = &closed[(next_closed + CLOSED - 1) % CLOSED];

    if (!last->object)
        return;
    if (tabs[i].object)
        doc_ptr_reset(&tabs[i]); /* put: tab */
    tabs[i] = doc_ptr_copy(*last); /* get: tab */
}

static void tab_move(int from, int to)
{
    if (from == to || !tabs[from].object)
        return;
    if (tabs[to].object)
        doc_ptr_reset(&tabs[to]); /* put: tab */
    tabs[to] = doc_ptr_move(&tabs[from]);
}

static void cut(int i)
{
    if (clipboard.object)
        doc_ptr_reset(&clipboard); /* put: clipboard */
    clipboard = doc_ptr_copy(tabs[i]); /* get: clipboard */
}

static void edit(struct doc_ptr argument)
{
    struct doc_ptr doc = doc_ptr_copy(argument); /* get: edit */

    doc.object->edits++;
    edits++;
    if (doc.object->edits % 4 == 0 && nsaving < SAVES)
        saving[nsaving++] = doc_ptr_copy(doc); /* get: saving */
    doc_ptr_reset(&doc); /* put: edit */
}

static void save_all(void)
{
    int i;

    for (i = 0; i < nsaving; i++) {
        struct doc_ptr doc = doc_ptr_move(&saving[i]);

        doc.object->saved = doc.object->edits;
        saves++;
        doc_ptr_reset(&doc); /* put: saving */
    }
    nsaving = 0;
}

static void step(int number)
{
    int i = number * 7 % TABS;

    if (!tabs[i].object) {
        tabs[i] = doc_new(number);
        return;
    }
    switch (number % 6) {
    case 0:
        tab_close(i);
        break;
    case 1:
        cut(i);
        break;
    case 2:
        tab_move(i, number * 3 % TABS);
        break;
    case 3:
        if (number % 4 == 1)
            tab_reopen(i);
        break;
    default:
        edit(tabs[i]);
    }
    if (number % 16 == 15)
        save_all();
}

int main(void)
{
    int i;

    for (i = 0; i < STEPS; i++)
        step(i);
    save_all();
    for (i = 0; i < TABS; i++)
        if (tabs[i].object)
            doc_ptr_reset(&tabs[i]); /* put: tab */
    for (i = 0; i < CLOSED; i++)
        if (closed[i].object)
            doc_ptr_reset(&closed[i]); /* put: closed */
    doc_ptr_reset(&clipboard); /* put: clipboard */
    printf("%d edits, %d saves, %d docs left\n", edits, saves, docs);
    return 0;
}
