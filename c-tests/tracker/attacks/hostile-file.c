/*
 * Names that could harm a terminal or a browser. The test gives the functions of hostile-names.c other names in the
 * symbol table, and the holder's name and this file's name have control characters and markup, too.
 */
#include "../object.h"

void hostile_release(struct kref *kref);
void hostile_take(struct kref *kref);

# 1 "ev\033[31mil;\"</script><script>alert(2)</script>.c"
static __attribute__((noinline)) void take(struct kref *kref)
{
    kref_get_as(kref, "h\033[2J\"'</text><script>alert(3)</script>;\n 99");
    hostile_take(kref);
    __asm__ volatile("");
}

int main(void)
{
    struct object *object = object_new(), *other = object_new();

    take(&object->kref);
    kref_put(&object->kref, hostile_release);
    kref_init(&other->kref); /* misuse, which is reported at once */
    return 0;
}
