/*
 * clients.h - the clients of server.c. There are CLIENTS clients, each with one request at a time. The
 * requests depend on the seed alone.
 */
enum { CLIENTS = 16, USERS = 64, PAGES = 96 };

struct client {
    struct session *session; /* the connection's reference, while logged in */
    struct request *request; /* not answered yet, or NULL */
    int user;                /* -1: not logged in */
};

static void await(struct client *client)
{
    struct request *request = client->request;

    pthread_mutex_lock(&queue.lock);
    while (!request->done)
        pthread_cond_wait(&queue.answered, &queue.lock);
    pthread_mutex_unlock(&queue.lock);
    if (strncmp(request->reply, "200", 3) && strncmp(request->reply, "404", 3))
        printf("\"%s\": \"%s\"\n", request->text, request->reply);
    kref_put(&request->kref, request_release); /* rule 2: the client's reference */
    client->request = NULL;
}

static void ask(struct client *client, const char *what, int user, const char *path, int number)
{
    struct request *request = allocate(sizeof *request);

    kref_init(&request->kref); /* the client's reference */
    request->connected = &client->session;
    request->next = NULL;
    request->done = 0;
    snprintf(request->text, sizeof request->text, "%s %d %s%d", what, user, path, number);
    client->request = request;
    enqueue(request);
}

static int below(int limit, unsigned long long *seed)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (int)((*seed >> 33) % (unsigned)limit);
}

/* A client logs in as some user, asks for pages, mostly those with low numbers, and logs out. */
static void next(struct client *client, unsigned long long *seed)
{
    int dice = below(1000, seed);

    if (client->user < 0) {
        client->user = below(USERS, seed);
        ask(client, "LOGIN", client->user, "", 0);
    } else if (dice < 40) {
        ask(client, "LOGOUT", client->user, "", 0);
        client->user = -1;
    } else if (dice < 60) {
        ask(client, "GET", client->user, "/icon/", dice);
    } else if (dice < 61) {
        ask(client, "RELOAD", client->user, "", 0);
    } else {
        ask(client, "GET", client->user, "/page/", below(below(PAGES, seed) + 1, seed));
    }
}

static void load(unsigned long requests, unsigned long long seed)
{
    static struct client clients[CLIENTS];
    unsigned long n;
    int i;

    for (i = 0; i < CLIENTS; i++)
        clients[i].user = -1;
    for (n = 0; n < requests; n++) {
        struct client *client = &clients[n % CLIENTS];

        if (client->request)
            await(client);
        next(client, &seed);
    }
    for (i = 0; i < CLIENTS; i++) {
        if (clients[i].request)
            await(&clients[i]);
        if (clients[i].user < 0)
            continue;
        ask(&clients[i], "LOGOUT", clients[i].user, "", 0);
        await(&clients[i]);
    }
}
