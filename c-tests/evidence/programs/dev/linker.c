/*
 * A linker's tables. Sections keep their input file, relocations their target symbol, defined
 * symbols their section. The cycle of these ends when a section's relocations are applied, or
 * when the section is discarded.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINKS = 14, INPUTS = 6, SECTIONS_OF_INPUT = 5, RELOCS = 4, NAMES = 40, MAX_SECTIONS = 64 };

struct input {
    struct kref kref;
    int number;
};

struct section {
    struct kref kref;
    struct input *file;
    struct symbol *relocs[RELOCS];
    int group, live, address;
};

struct symbol {
    struct kref kref;
    struct section *section; /* NULL: undefined */
    int name, weak;
};

struct link {
    struct symbol *symtab[NAMES];
    struct section *layout[MAX_SECTIONS], *gc_stack[MAX_SECTIONS];
    struct section *groups[8]; /* the first section of each group; layout's references */
    int nsections, depth, address;
};

static unsigned rng_state;
static int bytes_out, undefined;

static unsigned rng(unsigned n)
{
    rng_state = rng_state * 1103515245u + 12345u;
    return (rng_state >> 16) % n;
}

static void *must_calloc(size_t size)
{
    void *memory = calloc(1, size);

    if (!memory)
        abort();
    return memory;
}

static void input_release(struct kref *kref)
{
    free(kref_entry(kref, struct input, kref));
}

static void section_release(struct kref *kref)
{
    struct section *section = kref_entry(kref, struct section, kref);

    kref_put(&section->file->kref, input_release); /* put: section's file */
    free(section);
}

static struct section *section_new(struct input *file, int group)
{
    struct section *section = must_calloc(sizeof *section);

    kref_init(&section->kref); /* get: layout */
    kref_get(&file->kref); /* get: section's file */
    section->file = file;
    section->group = group;
    return section;
}

static void symbol_release(struct kref *kref)
{
    struct symbol *symbol = kref_entry(kref, struct symbol, kref);

    if (symbol->section)
        kref_put(&symbol->section->kref, section_release); /* put: definition */
    free(symbol);
}

static struct symbol *symtab_intern(struct link *link, int name)
{
    struct symbol **place = &link->symtab[name];

    if (!*place) {
        *place = must_calloc(sizeof **place);
        kref_init(&(*place)->kref); /* get: symtab */
        (*place)->name = name;
    }
    return *place;
}

/* A strong definition replaces a weak one. */
static void symbol_define(struct symbol *symbol, struct section *section, int weak)
{
    if (symbol->section) {
        if (weak || !symbol->weak)
            return;
        kref_put(&symbol->section->kref, section_release); /* put: definition */
    }
    kref_get(&section->kref); /* get: definition */
    symbol->section = section;
    symbol->weak = weak;
}

static void relocate_later(struct link *link, struct section *section)
{
    for (int i = 0; i < RELOCS; i++) {
        section->relocs[i] = symtab_intern(link, rng(NAMES));
        kref_get(&section->relocs[i]->kref); /* get: relocation */
    }
}

static void apply_relocations(struct section *section)
{
    for (int i = 0; i < RELOCS; i++) {
        if (section->relocs[i]->section)
            bytes_out += section->relocs[i]->section->address & 255;
        else
            undefined++;
        kref_put(&section->relocs[i]->kref, symbol_release); /* put: relocation */
    }
}

static void discard_relocations(struct section *section)
{
    for (int i = 0; i < RELOCS; i++)
        kref_put(&section->relocs[i]->kref, symbol_release); /* put: relocation */
}

static void read_input(struct link *link, int number)
{
    struct input *file = must_calloc(sizeof *file);

    kref_init(&file->kref); /* get: reader */
    file->number = number;
    for (int i = 0; i < SECTIONS_OF_INPUT; i++) {
        struct section *section = section_new(file, rng(8));

        if (rng(3) == 0 && link->groups[section->group]) {
            kref_put(&section->kref, section_release); /* put: layout */
            continue;
        }
        link->groups[section->group] = section;
        link->layout[link->nsections++] = section;
        symbol_define(symtab_intern(link, rng(NAMES)), section, rng(2));
        symbol_define(symtab_intern(link, rng(NAMES)), section, rng(2));
        relocate_later(link, section);
    }
    kref_put(&file->kref, input_release); /* put: reader */
}

static void mark(struct link *link, struct section *section)
{
    if (section->live)
        return;
    section->live = 1;
    kref_get(&section->kref); /* get: gc stack */
    link->gc_stack[link->depth++] = section;
}

static void collect_garbage(struct link *link)
{
    int i, kept = 0;

    for (i = 0; i < 3; i++)
        mark(link, link->layout[i]);
    while (link->depth > 0) {
        struct section *section = link->gc_stack[--link->depth];

        for (i = 0; i < RELOCS; i++)
            if (section->relocs[i]->section)
                mark(link, section->relocs[i]->section);
        kref_put(&section->kref, section_release); /* put: gc stack */
    }
    for (i = 0; i < link->nsections; i++) {
        struct section *section = link->layout[i];

        if (section->live) {
            section->address = link->address += 16;
            link->layout[kept++] = section;
            continue;
        }
        discard_relocations(section);
        kref_put(&section->kref, section_release); /* put: layout */
    }
    link->nsections = kept;
}

static void link_output(int number)
{
    struct link *link = must_calloc(sizeof *link);
    int i;

    rng_state = 1000 + number;
    for (i = 0; i < INPUTS; i++)
        read_input(link, i);
    collect_garbage(link);
    for (i = 0; i < NAMES; i++)
        if (link->symtab[i])
            kref_put(&link->symtab[i]->kref, symbol_release); /* put: symtab */
    for (i = 0; i < link->nsections; i++) {
        apply_relocations(link->layout[i]);
        kref_put(&link->layout[i]->kref, section_release); /* put: layout */
    }
    free(link);
}

int main(void)
{
    for (int i = 0; i < LINKS; i++)
        link_output(i);
    printf("%d bytes, %d undefined\n", bytes_out, undefined);
    return 0;
}
