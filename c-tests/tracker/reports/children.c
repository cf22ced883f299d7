/* children N M: forks N children, one after the other. Each child creates M objects and never gives them back. */
#include "check.h"

#include <sys/wait.h>

static struct kref objects[100];

int main(int argc, char **argv)
{
    int children = atoi(argv[1]), each = atoi(argv[2]);

    CHECK(argc == 3 && each <= 100);
    for (int child = 0; child < children; child++) {
        int status;
        pid_t pid = fork();

        if (!pid) {
            for (int i = 0; i < each; i++)
                kref_init(&objects[i]);
            return 0;
        }
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && !status);
    }
    return 0;
}
