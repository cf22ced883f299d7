/*
 * A second login overwrites the field that points to the first user, and the reference is lost with
 * the pointer. Seen in setters that every test calls only once.
 *
 * found by: leak
 */
#include "check.h"

struct user {
    char name[16];
    struct kref kref;
};

struct connection {
    struct user *user;
};

static void user_release(struct kref *kref)
{
    free(kref_entry(kref, struct user, kref));
}

static struct user *user_new(void)
{
    struct user *user = calloc(1, sizeof *user);

    CHECK(user);
    kref_init(&user->kref);
    return user;
}

static void log_in(struct connection *connection, struct user *user)
{
    kref_get(&user->kref); /* BLAME */
#ifdef RIGHT
    if (connection->user)                                /* FIX */
        kref_put(&connection->user->kref, user_release); /* FIX */
#endif
    connection->user = user;
}

static void disconnect(struct connection *connection)
{
    kref_put(&connection->user->kref, user_release);
    connection->user = NULL;
}

int main(void)
{
    struct user *guest = user_new();
    struct user *admin = user_new();
    struct connection connection = { NULL };

    log_in(&connection, guest);
    log_in(&connection, admin);
    disconnect(&connection);
    kref_put(&guest->kref, user_release);
    kref_put(&admin->kref, user_release);
    return 0;
}
