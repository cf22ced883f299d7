/* More events than the rings have room for, between two lines of standard input. */
#include "../object.h"

static void wait_for_a_line(const char *said)
{
    char line[16];

    puts(said);
    fflush(stdout);
    CHECK(fgets(line, sizeof line, stdin));
}

int main(void)
{
    wait_for_a_line("ready");
    for (int i = 0; i < 100000; i++)
        object_put(object_new());
    wait_for_a_line("done");
    return 0;
}
