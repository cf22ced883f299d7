/*
 * A lookup returns a reference. Its caller reads a field and never puts, as if it had borrowed the
 * object. Seen with find functions whose name does not say that they take a reference.
 * The line to blame is the lookup, where the reference was taken.
 *
 * found by: leak
 */
#include "check.h"

struct host {
    char name[16];
    struct kref kref;
    int port;
};

static struct host *known;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void host_release(struct kref *kref)
{
    free(kref_entry(kref, struct host, kref));
}

static struct kref *find(void *name)
{
    return known && strcmp(known->name, name) == 0 ? &known->kref : NULL;
}

static int port_of(char *name)
{
    struct kref *kref = kref_lookup_mutex(&lock, find, name); /* BLAME */
    int port = kref ? kref_entry(kref, struct host, kref)->port : -1;

#ifdef RIGHT
    if (kref)                         /* FIX */
        kref_put(kref, host_release); /* FIX */
#endif
    return port;
}

int main(void)
{
    struct host *host = calloc(1, sizeof *host);
    char name[] = "printer";

    CHECK(host);
    kref_init(&host->kref); /* the table's reference */
    strcpy(host->name, name);
    host->port = 631;
    known = host;
    CHECK(port_of(name) == 631);
    known = NULL;
    kref_put(&host->kref, host_release);
    return 0;
}
