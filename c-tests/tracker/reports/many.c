/* Holds as many objects at exit as the first argument says. */
#include "../object.h"

int main(int argc, char **argv)
{
    long i, count = argc > 1 ? atol(argv[1]) : 1;

    for (i = 0; i < count; i++)
        kref_get(&object_new()->kref);
    return 0;
}
