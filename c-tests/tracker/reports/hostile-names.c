/* A holder whose name is markup for a browser, and control characters for a terminal. */
#include "../object.h"

int main(void)
{
    struct object *object = object_new();

    kref_get_as(&object->kref, "\x1b[31m</text><script>alert('&\"')\n");
    return 0;
}
