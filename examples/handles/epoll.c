/*
 * epoll.c - an event loop: epoll_data has the handle of a session, and no pointer.
 *
 *   cc epoll.c $(pkg-config --cflags --libs kref) -o epoll && ./epoll
 *
 * epoll_wait() returns an array of events. While the loop works on one event, it may close the session of a later
 * event in the same array. A pointer in epoll_data would then lead to freed memory, or to a new session that has
 * the memory now. A handle finds nothing, and the loop goes on with the next event.
 *
 * Here each client asks the server to close the session of its neighbour: 0 and 1, 2 and 3, and so on. So of each
 * two events, the second one comes too late. A new session takes the place of the closed one at once, often with
 * the same memory and the same file descriptor.
 */
#include <kref.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SESSIONS 8

struct session {
    struct kref kref;
    int number, fd;
};

/* Gives the session's parts back. The pool takes the memory. */
static void session_cleanup(struct session *session)
{
    printf("session %d: closed\n", session->number);
    close(session->fd); /* epoll forgets the socket, but the array still has the event */
}

KREF_POOL_DEFINE(session, struct session, kref, session_cleanup);

static struct session *table[SESSIONS]; /* one reference on each session */
static int clients[SESSIONS];           /* the clients' sockets */
static int stale, wrong;

static int open_session(int epoll, int number)
{
    struct session *session = session_alloc();
    struct epoll_event event;
    int ends[2];

    if (!session)
        return -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends)) {
        session_discard(session);
        return -1;
    }
    session->number = number;
    session->fd = ends[0];
    event.events = EPOLLIN;
    event.data.u64 = session_handle(session); /* known already, although nobody can find the session yet */
    session_publish(session);                 /* one reference: the table's */
    table[number] = session;
    clients[number] = ends[1];
    return epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
}

static void close_session(int number)
{
    session_unref(table[number]); /* rule 2 */
    table[number] = NULL;
    close(clients[number]);
}

static void work(int epoll, uint64_t handle)
{
    struct session *session = session_by_handle(handle); /* rule 3: with a reference, or NULL */
    char number;

    if (!session) {
        printf("an event of a session that is gone\n");
        stale++;
        return;
    }
    if (read(session->fd, &number, 1) == 1) {
        printf("session %d: asks to close session %d\n", session->number, number);
        close_session(number);
        wrong += open_session(epoll, number) != 0;
    } else {
        wrong++;
    }
    session_unref(session);
}

int main(void)
{
    struct epoll_event events[SESSIONS];
    int epoll = epoll_create1(EPOLL_CLOEXEC), i, n;

    for (i = 0; i < SESSIONS; i++)
        if (open_session(epoll, i))
            return 1;
    for (i = 0; i < SESSIONS; i++) {
        char neighbour = (char)(i ^ 1);

        wrong += write(clients[i], &neighbour, 1) != 1;
    }
    n = epoll_wait(epoll, events, SESSIONS, -1); /* all events at once */
    for (i = 0; i < n; i++)
        work(epoll, events[i].data.u64);

    for (i = 0; i < SESSIONS; i++)
        close_session(i);
    close(epoll);
    printf("%d events, %d of them for sessions that were gone\n", n, stale);
    wrong += n != SESSIONS || stale != SESSIONS / 2;
    return wrong || kref_pool_destroy(&session_pool) ? 1 : 0;
}
