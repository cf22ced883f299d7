/*
 * A server holds its connections open with a percpu_ref and ends each of them, but its way out for a
 * failed configuration forgets to kill it: the release function, which frees the server, never runs. Seen in
 * error paths of start-up code.
 *
 * found by: leak
 * holder: the initial reference
 */
#include "check.h"

struct server {
    int port;
    struct percpu_ref users;
};

static void server_release(struct percpu_ref *users)
{
    percpu_ref_exit(users);
    free((char *)users - offsetof(struct server, users));
}

static int server_start(int port)
{
    struct server *server = calloc(1, sizeof *server);

    CHECK(server);
    CHECK(percpu_ref_init(&server->users, server_release, 0) == 0); /* BLAME */
    server->port = port;
    if (port < 1024) {
#ifdef RIGHT
        percpu_ref_kill(&server->users); /* FIX */
#endif
        return -1;
    }
    CHECK(percpu_ref_tryget_live(&server->users));
    percpu_ref_put(&server->users);
    percpu_ref_kill(&server->users);
    return 0;
}

int main(void)
{
    CHECK(server_start(8080) == 0);
    CHECK(server_start(80) == -1);
    return 0;
}
