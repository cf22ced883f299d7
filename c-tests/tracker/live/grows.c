/* A cache that grows, beside a session that does not, until somebody closes standard input. */
#include "../object.h"
#include <poll.h>
#include <stdio.h>

int main(void)
{
    struct pollfd input = {.fd = 0, .events = POLLIN};
    struct object *session = object_new(), *entry = object_new();

    puts("ready");
    fflush(stdout);
    for (;;) {
        kref_get_as(&session->kref, "request");
        kref_put_as(&session->kref, object_release, "request");
        kref_get_as(&entry->kref, "cache");
        if (poll(&input, 1, 1) != 0)
            return 0;
    }
}
