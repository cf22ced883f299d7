/* Asks for a report to a pipe that nobody reads. */
#include "../object.h"

int main(void)
{
    struct object *object = object_new();
    int ends[2];

    CHECK(pipe(ends) == 0 && close(ends[0]) == 0);
    kref_track_report(ends[1]);
    object_put(object);
    return 0;
}
