/* Values of a JSON library: nobody gives back the first reference of a static value, which lives for ever. A value
 * that has one holder is changed in place, and others are copied. */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

struct json {
    struct kref kref;
    int number;
};

static struct json json_zero = { KREF_INIT(1), 0 };

static void json_free(struct json *json)
{
    printf("%d freed\n", json->number);
    free(json);
}

KREF_DEFINE(json, struct json, kref, json_free);

static struct json *json_integer(int number)
{
    struct json *json = malloc(sizeof *json);

    if (!json)
        abort();
    json_ref_init(json);
    json->number = number;
    return json;
}

/* Takes the caller's reference over. */
static struct json *json_set(struct json *json, int number)
{
    if (json_is_unique(json)) {
        json->number = number;
        return json;
    }
    json_unref(json);
    return json_integer(number);
}

int main(void)
{
    struct json *zero = json_ref(&json_zero), *one, *two;

    one = json_set(zero, 1);
    one = json_set(one, 11);
    two = json_set(json_ref(one), 2);
    printf("%d %d %d\n", json_zero.number, one->number, two->number);
    json_unref(one);
    json_unref(two);
    return 0;
}
