/*
 * A small Lisp. A function that makes or finds a value gives its caller a reference; NULL is an
 * error. A closure keeps the environment in which it was made, and an environment keeps the one
 * around it.
 */
#include <ctype.h>
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT = 24, GLOBALS = 40, ARGS = 8, FORMS = 240 };

typedef struct val {
    struct kref rc;
    enum { NUMBER, STRING, SYMBOL, LIST, CLOSURE } type;
    long num;
    char text[TEXT];
    int n;
    struct val *items[ARGS]; /* of a closure: its parameters and its body */
    struct env *env;
} val;

typedef struct env {
    struct kref rc;
    struct env *outer;
    int n;
    struct { char name[TEXT]; val *value; } vars[];
} env;

static const char *src;
static int errors;
static long printed;

static val *eval(val *x, env *e);
static void val_free(val *v);
static void env_free(env *e);
KREF_DEFINE(val, val, rc, val_free);
KREF_DEFINE(env, env, rc, env_free);

static void val_free(val *v)
{
    for (int i = 0; i < v->n; i++)
        val_unref(v->items[i]); /* put: item */
    if (v->env)
        env_unref(v->env); /* put: closure */
    free(v);
}

static void env_clear(env *e)
{
    for (; e->n > 0; e->n--)
        val_unref(e->vars[e->n - 1].value); /* put: binding */
}

static void env_free(env *e)
{
    env_clear(e);
    if (e->outer)
        env_unref(e->outer); /* put: outer */
    free(e);
}

static val *new_val(int type, long num, const char *text)
{
    val *v = calloc(1, sizeof *v);

    val_ref_init(v);
    v->type = type;
    v->num = num;
    snprintf(v->text, sizeof v->text, "%s", text);
    return v;
}

static val *new_list(int n, val **items)
{
    val *list = new_val(LIST, 0, "");

    for (; list->n < n; list->n++)
        list->items[list->n] = val_ref(items[list->n]); /* get: item */
    return list;
}

static env *new_env(env *outer, int size)
{
    env *e = calloc(1, sizeof *e + size * sizeof e->vars[0]);

    env_ref_init(e);
    if (outer)
        e->outer = env_ref(outer); /* get: outer */
    return e;
}

static val *read_form(void)
{
    char text[TEXT] = "";
    int len = 0;
    val *list;

    while (*src == ' ')
        src++;
    if (*src == '(') {
        list = new_val(LIST, 0, "");
        for (src++; *src != ')';)
            list->items[list->n++] = read_form(); /* get: item */
        src++;
        return list;
    }
    if (*src == '"') {
        while (*++src != '"')
            text[len++] = *src;
        src++;
        return new_val(STRING, 0, text);
    }
    while (*src && !strchr(" ()", *src))
        text[len++] = *src++;
    return new_val(isdigit((unsigned char)*text) ? NUMBER : SYMBOL, atol(text), text);
}

static val **find(val *name, env *e)
{
    for (; e; e = e->outer)
        for (int i = 0; i < e->n; i++)
            if (!strcmp(e->vars[i].name, name->text))
                return &e->vars[i].value;
    return NULL;
}

/* Takes over the caller's reference on the value. */
static void bind(env *e, val *name, val *value)
{
    strcpy(e->vars[e->n].name, name->text);
    e->vars[e->n++].value = value;
}

static val *apply(val *f, int n, val **args)
{
    env *frame;
    val *result;

    if (f->type != CLOSURE || f->items[0]->n != n)
        return NULL;
    frame = new_env(f->env, n); /* get: frame */
    for (int i = 0; i < n; i++)
        bind(frame, f->items[0]->items[i], val_ref(args[i])); /* get: binding */
    result = eval(f->items[1], frame);
    env_unref(frame); /* put: frame */
    return result;
}

static val *map(val *f, val *list)
{
    val *mapped[ARGS], *result = NULL;
    int n = 0;

    while (n < list->n && (mapped[n] = apply(f, 1, &list->items[n]))) /* get: operand */
        n++;
    if (n == list->n)
        result = new_list(n, mapped);
    while (n-- > 0)
        val_unref(mapped[n]); /* put: operand */
    return result;
}

static val *primitive(const char *name, int n, val **args)
{
    val *a = args[0], *b = args[1];
    char text[48];

    if (!strcmp(name, "list"))
        return new_list(n, args);
    if (n != 2)
        return NULL;
    if (!strcmp(name, "map") && b->type == LIST)
        return map(a, b);
    if (!strcmp(name, "cat") && a->type == STRING && b->type == STRING) {
        snprintf(text, sizeof text, "%s%s", a->text, b->text);
        return new_val(STRING, 0, text);
    }
    if (a->type != NUMBER || b->type != NUMBER)
        return NULL;
    return new_val(NUMBER, a->num + (*name == '+' ? 1 : -1) * b->num, "");
}

static val *call(val *x, env *e)
{
    int n, builtin = x->items[0]->type == SYMBOL && !find(x->items[0], e);
    val *args[ARGS + 1] = { NULL }, *result;

    for (n = builtin; n < x->n; n++) {
        args[n] = eval(x->items[n], e); /* get: operand */
        if (!args[n]) {
            while (n-- > builtin)
                val_unref(args[n]); /* put: operand */
            return NULL;
        }
    }
    result = builtin ? primitive(x->items[0]->text, n - 1, args + 1)
                     : apply(args[0], n - 1, args + 1);
    while (n-- > builtin)
        val_unref(args[n]); /* put: operand */
    return result;
}

static val *define(val *name, val *x, env *e)
{
    val *value = eval(x, e); /* get: binding */
    val **known = find(name, e);

    if (value && !known)
        bind(e, name, value);
    if (value && known) {
        val_unref(*known); /* put: binding */
        *known = value;
    }
    return value ? val_ref(name) : NULL;
}

static val *eval(val *x, env *e)
{
    const char *head = x->type == LIST ? x->items[0]->text : "";
    val **known, *v;
    int yes;

    if (x->type == SYMBOL)
        return (known = find(x, e)) ? val_ref(*known) : NULL;
    if (x->type != LIST)
        return val_ref(x);
    if (!strcmp(head, "define"))
        return define(x->items[1], x->items[2], e);
    if (!strcmp(head, "lambda")) {
        v = new_list(2, x->items + 1);
        v->type = CLOSURE;
        v->env = env_ref(e); /* get: closure */
        return v;
    }
    if (strcmp(head, "if"))
        return call(x, e);
    if (!(v = eval(x->items[1], e))) /* get: condition */
        return NULL;
    yes = v->num > 0;
    val_unref(v); /* put: condition */
    return eval(x->items[yes ? 2 : 3], e);
}

static void evaluate(const char *form, env *e)
{
    val *x, *v;

    src = form;
    x = read_form(); /* get: repl */
    v = eval(x, e);  /* get: repl */
    val_unref(x);    /* put: repl */
    if (!v) {
        errors++;
        return;
    }
    printed += v->num + v->n + (long)strlen(v->text);
    val_unref(v); /* put: repl */
}

static const char *const library[] = {
    "(define fib (lambda (n) (if (- n 1) (+ (fib (- n 1)) (fib (- n 2))) n)))",
    "(define adder (lambda (n) (lambda (x) (+ x n))))",
    "(define compose (lambda (f g) (lambda (x) (f (g x)))))",
    "(define greet (lambda (who) (cat \"hi \" who)))",
};

static const char *const forms[] = {
    "(fib %d)",
    "(define add%d (adder %d))",
    "(define both%d (compose add%d (adder 3)))",
    "(map both%d (list 1 2 %d))",
    "(define names%d (list \"ann\" (if %d \"bob\" 7)))",
    "(map greet names%d)",
    "(cat \"hi \" unknown%d%d)",
};

int main(void)
{
    env *global = new_env(NULL, GLOBALS); /* get: frame */
    unsigned seed = 1958;
    char form[80];
    int i;

    for (i = 0; i < 4; i++)
        evaluate(library[i], global);
    for (i = 0; i < FORMS; i++) {
        seed = seed * 1103515245 + 12345;
        snprintf(form, sizeof form, forms[(seed >> 16) % 7], (seed >> 20) % 8, (seed >> 24) % 6);
        evaluate(form, global);
    }
    env_clear(global);
    env_unref(global); /* put: frame */
    printf("%ld printed, %d errors\n", printed, errors);
    return 0;
}
