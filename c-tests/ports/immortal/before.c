/* Values of a JSON library: a count of SIZE_MAX marks a static value that lives for ever. A value that has one
 * holder is changed in place, and others are copied. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct json {
    size_t refs;
    int number;
};

static struct json json_zero = { SIZE_MAX, 0 };

static void json_free(struct json *json)
{
    printf("%d freed\n", json->number);
    free(json);
}

static struct json *json_incref(struct json *json)
{
    if (json && json->refs != SIZE_MAX)
        __atomic_add_fetch(&json->refs, 1, __ATOMIC_ACQUIRE);
    return json;
}

static void json_decref(struct json *json)
{
    if (json && json->refs != SIZE_MAX && __atomic_sub_fetch(&json->refs, 1, __ATOMIC_ACQ_REL) == 0)
        json_free(json);
}

static struct json *json_integer(int number)
{
    struct json *json = malloc(sizeof *json);

    if (!json)
        abort();
    json->refs = 1;
    json->number = number;
    return json;
}

/* Takes the caller's reference over. */
static struct json *json_set(struct json *json, int number)
{
    if (__atomic_load_n(&json->refs, __ATOMIC_ACQUIRE) == 1) {
        json->number = number;
        return json;
    }
    json_decref(json);
    return json_integer(number);
}

int main(void)
{
    struct json *zero = json_incref(&json_zero), *one, *two;

    one = json_set(zero, 1);
    one = json_set(one, 11);
    two = json_set(json_incref(one), 2);
    printf("%d %d %d\n", json_zero.number, one->number, two->number);
    json_decref(one);
    json_decref(two);
    return 0;
}
