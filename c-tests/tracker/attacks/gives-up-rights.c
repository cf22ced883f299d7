/* Moves into an empty root and becomes another user, as servers do, between two gets. */
#define _GNU_SOURCE
#include "../object.h"
#include <grp.h>

int main(void)
{
    char empty[] = "/tmp/kref-rights-XXXXXX";
    struct object *object = object_new();

    CHECK(mkdtemp(empty) && chroot(empty) == 0 && chdir("/") == 0);
    CHECK(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
    kref_get_as(&object->kref, "late");
    return 0;
}
