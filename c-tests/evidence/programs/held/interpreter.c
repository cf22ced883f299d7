/*
 * A stack machine whose values are counted. The stack, the variables and the cells of pairs each
 * own what they point to; a call frame owns its closure.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum kind { NUMBER, PAIR, CLOSURE };
enum { PUSH, ADD, CONS, HEAD, STORE, LOAD, MAKE, CALL, POP, END };
enum { DEPTH = 64, VARIABLES = 8 };

struct value {
    struct kref kref;
    enum kind kind;
    int number;
    struct value *head, *tail; /* of a pair; tail: what a closure has captured */
};

static struct value *stack[DEPTH], *variables[VARIABLES];
static int top, made, freed;

static void value_release(struct kref *kref)
{
    struct value *value = kref_entry(kref, struct value, kref);

    if (value->head)
        kref_put(&value->head->kref, value_release); /* put: cell */
    if (value->tail)
        kref_put(&value->tail->kref, value_release); /* put: cell */
    freed++;
    free(value);
}

static void drop(struct value *value)
{
    kref_put(&value->kref, value_release);
}

static struct value *share(struct value *value)
{
    kref_get(&value->kref);
    return value;
}

static struct value *new_value(enum kind kind, int number)
{
    struct value *value = calloc(1, sizeof *value);

    if (!value)
        abort();
    kref_init(&value->kref); /* get: stack */
    value->kind = kind;
    value->number = number;
    made++;
    return value;
}

static void push(struct value *value)
{
    stack[top++] = value;
}

static struct value *pop(void)
{
    return stack[--top];
}

static void add(void)
{
    struct value *right = pop(), *left = pop();

    push(new_value(NUMBER, left->number + right->number));
    drop(left); /* put: stack */
    drop(right); /* put: stack */
}

static void cons(void)
{
    struct value *tail = pop(), *head = pop(), *pair = new_value(PAIR, 0);

    pair->head = share(head); /* get: cell */
    pair->tail = share(tail); /* get: cell */
    push(pair);
    drop(head); /* put: stack */
    drop(tail); /* put: stack */
}

static void head(void)
{
    struct value *pair = pop();

    push(share(pair->kind == PAIR ? pair->head : pair)); /* get: stack */
    drop(pair); /* put: stack */
}

static void store(int i)
{
    struct value *value = pop(), *old = variables[i];

    variables[i] = share(value); /* get: variable */
    if (old)
        drop(old); /* put: variable */
    drop(value); /* put: stack */
}

static void make_closure(int number)
{
    struct value *captured = pop(), *closure = new_value(CLOSURE, number);

    closure->tail = share(captured); /* get: cell */
    push(closure);
    drop(captured); /* put: stack */
}

static void call(void)
{
    struct value *closure = pop(), *argument = pop();

    share(closure); /* get: frame */
    push(new_value(NUMBER, argument->number + closure->number + closure->tail->number));
    store(closure->number % VARIABLES);
    drop(argument); /* put: stack */
    drop(closure); /* put: stack */
    drop(closure); /* put: frame */
}

static void execute(const int *code)
{
    for (;; code++)
        switch (*code) {
        case PUSH:
            push(new_value(NUMBER, *++code));
            break;
        case ADD:
            add();
            break;
        case CONS:
            cons();
            break;
        case HEAD:
            head();
            break;
        case STORE:
            store(*++code);
            break;
        case LOAD:
            push(share(variables[*++code])); /* get: stack */
            break;
        case MAKE:
            make_closure(*++code);
            break;
        case CALL:
            call();
            break;
        case POP:
            drop(stack[top - 1]); /* put: stack */
            top--;
            break;
        default:
            return;
        }
}

int main(void)
{
    static const int begin[] = { PUSH, 1, STORE, 0, PUSH, 2, STORE, 1, PUSH, 0, STORE, 2, END };
    static const int list[] = { LOAD,  0, LOAD, 1, CONS, LOAD, 2,  CONS,
                                STORE, 3, LOAD, 3, HEAD, POP,  END };
    static const int sums[] = { LOAD, 0, PUSH, 3,    ADD,   STORE, 0,
                                LOAD, 3, HEAD, HEAD, STORE, 1,     END };
    static const int calls[] = { PUSH, 4,   LOAD, 0, MAKE, 5, CALL,  LOAD, 5,
                                 POP,  LOAD, 2,   MAKE, 6, STORE, 4,   END };
    int i;

    execute(begin);
    for (i = 0; i < 12; i++) {
        execute(list);
        if (i % 2)
            execute(sums);
        if (i % 3 == 0)
            execute(calls);
    }
    for (i = 0; i < VARIABLES; i++)
        if (variables[i])
            drop(variables[i]); /* put: variable */
    printf("%d made, %d freed\n", made, freed);
    return 0;
}
