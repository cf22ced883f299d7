/*
 * A compiler's symbols and types. Scopes hold what they declare, expressions hold the symbols
 * that they name, types hold the types that they are made of, and the table of interned types
 * holds each once.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { TYPES = 24, FUNCTIONS = 14, LOCALS = 5, USES = 24 };

struct type {
    struct kref kref;
    int size;
    struct type *target; /* of a pointer */
};

struct symbol {
    struct kref kref;
    int name;
    struct type *type;
};

struct scope {
    struct scope *outer;
    struct symbol *symbols[LOCALS];
    int count;
};

static struct type *interned[TYPES];
static struct symbol *uses[USES];
static int nuses, ntypes, resolved, unknown;

static void type_free(struct kref *kref)
{
    struct type *type = kref_entry(kref, struct type, kref);

    if (type->target)
        kref_put(&type->target->kref, type_free); /* put: target */
    free(type);
}

static struct type *type_get(struct type *type)
{
    if (type)
        kref_get(&type->kref);
    return type;
}

static void type_put(struct type *type)
{
    if (type)
        kref_put(&type->kref, type_free);
}

static void symbol_free(struct kref *kref)
{
    struct symbol *symbol = kref_entry(kref, struct symbol, kref);

    type_put(symbol->type); /* put: symbol's type */
    free(symbol);
}

static void symbol_put(struct symbol *symbol)
{
    kref_put(&symbol->kref, symbol_free);
}

/* Returns a new reference on the one type of this kind. */
static struct type *type_intern(int size, struct type *target)
{
    struct type *type;
    int i;

    for (i = 0; i < ntypes; i++)
        if (interned[i]->size == size && interned[i]->target == target)
            return type_get(interned[i]); /* get: parser */
    type = calloc(1, sizeof *type);
    if (!type)
        abort();
    kref_init(&type->kref); /* get: parser */
    type->size = size;
    type->target = type_get(target); /* get: target */
    interned[ntypes++] = type_get(type); /* get: interned */
    return type;
}

static void declare(struct scope *scope, int name, struct type *type)
{
    struct symbol *symbol = malloc(sizeof *symbol);

    if (!symbol)
        abort();
    kref_init(&symbol->kref); /* get: scope */
    symbol->name = name;
    symbol->type = type_get(type); /* get: symbol's type */
    scope->symbols[scope->count++] = symbol;
}

static struct symbol *resolve(struct scope *scope, int name)
{
    int i;

    for (; scope; scope = scope->outer)
        for (i = 0; i < scope->count; i++)
            if (scope->symbols[i]->name == name) {
                resolved++;
                kref_get(&scope->symbols[i]->kref); /* get: resolved */
                return scope->symbols[i];
            }
    unknown++;
    return NULL;
}

static void emit(void)
{
    int i;

    for (i = 0; i < nuses; i++)
        symbol_put(uses[i]); /* put: expression */
    nuses = 0;
}

static void expression(struct scope *scope, int name)
{
    struct symbol *symbol = resolve(scope, name);

    if (!symbol)
        return;
    if (symbol->type->size > 2 && nuses < USES) {
        kref_get(&symbol->kref); /* get: expression */
        uses[nuses++] = symbol;
    }
    symbol_put(symbol); /* put: resolved */
}

static struct type *parse_type(int seed)
{
    struct type *type = type_intern(1 + seed % 5, NULL), *pointer;

    if (seed % 3)
        return type;
    pointer = type_intern(8, type);
    type_put(type); /* put: parser */
    return pointer;
}

static void parse_local(struct scope *scope, int seed)
{
    struct type *type = parse_type(seed);

    declare(scope, seed % 11, type);
    type_put(type); /* put: parser */
}

static void close_scope(struct scope *scope)
{
    int i;

    for (i = 0; i < scope->count; i++)
        symbol_put(scope->symbols[i]); /* put: scope */
}

static void function(struct scope *file, int seed)
{
    struct scope locals = { file, { NULL }, 0 };
    int i;

    for (i = 0; i < LOCALS; i++) {
        parse_local(&locals, seed * 3 + i * 2);
        expression(&locals, seed + i);
    }
    for (i = 0; i < 12; i++)
        expression(&locals, (seed + i * 5) % 14);
    if (seed % 4 == 3)
        emit();
    close_scope(&locals);
}

int main(void)
{
    struct scope file = { NULL, { NULL }, 0 };
    int i;

    for (i = 0; i < LOCALS; i++)
        parse_local(&file, 20 + i * 4);
    for (i = 0; i < FUNCTIONS; i++)
        function(&file, i);
    emit();
    close_scope(&file);
    for (i = 0; i < ntypes; i++)
        type_put(interned[i]); /* put: interned */
    printf("%d types, %d resolved, %d unknown\n", ntypes, resolved, unknown);
    return 0;
}
