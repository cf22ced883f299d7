/*
 * io_uring.c - io_uring: user_data has the handle of a session, and no pointer.
 *
 *   cc io_uring.c $(pkg-config --cflags --libs kref) -o io_uring && ./io_uring
 *
 * An operation of io_uring may complete long after it was submitted, and close() does not cancel it. So a
 * completion may arrive for a session that is gone. With a handle in user_data, the loop finds nothing, and goes
 * on with the next completion.
 *
 * This holds for operations that use no memory of the session, such as the poll here. If the kernel reads or
 * writes a buffer in the session, the operation must hold a reference until its completion has arrived.
 *
 * Many machines and containers refuse io_uring. There the completions come from a queue of the program (ring.h),
 * and the program's last line says so.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* for syscall() */
#endif
#include <kref.h>
#include <stdio.h>
#include <sys/socket.h>

#include "ring.h"

#define SESSIONS 4

struct session {
    struct kref kref;
    int number, fd;
};

static void session_cleanup(struct session *session)
{
    printf("session %d: closed\n", session->number);
    close(session->fd); /* a poll that the kernel has goes on */
}

KREF_POOL_DEFINE(session, struct session, kref, session_cleanup);

/* Returns a session, with one reference, which the caller holds; and the client's socket. */
static struct session *open_session(int number, int *client)
{
    struct session *session = session_alloc();
    int ends[2];

    if (!session)
        return NULL;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
        session_discard(session);
        return NULL;
    }
    session->number = number;
    session->fd = ends[0];
    *client = ends[1];
    session_publish(session);
    return session;
}

/* Whether the session of this completion is there. */
static int work(uint64_t handle)
{
    struct session *session = session_by_handle(handle); /* rule 3: with a reference, or NULL */

    if (!session) {
        printf("a completion for a session that is gone\n");
        return 0;
    }
    printf("session %d: its client has hung up\n", session->number);
    session_unref(session);
    return 1;
}

int main(void)
{
    struct session *sessions[SESSIONS];
    int clients[SESSIONS], by_kernel = ring_open(), i, there = 0;

    for (i = 0; i < SESSIONS; i++) {
        sessions[i] = open_session(i, &clients[i]);
        if (!sessions[i] || ring_poll(sessions[i]->fd, session_handle(sessions[i])))
            return 1;
    }
    for (i = 0; i < SESSIONS; i++)
        close(clients[i]); /* the clients hang up: each poll completes */
    for (i = 0; i < SESSIONS; i += 2) {
        session_unref(sessions[i]); /* the completions of sessions 0 and 2 stay in the ring */
        sessions[i] = open_session(SESSIONS + i, &clients[i]); /* often in the same memory */
        if (!sessions[i])
            return 1;
    }
    for (i = 0; i < SESSIONS; i++)
        there += work(ring_wait());
    for (i = 0; i < SESSIONS; i++) {
        session_unref(sessions[i]);
        if (i % 2 == 0)
            close(clients[i]);
    }
    printf("%d completions, %d of them for sessions that were gone; by %s\n", SESSIONS, SESSIONS - there,
           by_kernel ? "io_uring" : "a queue of the program, because io_uring was refused");
    return there != SESSIONS / 2 || kref_pool_destroy(&session_pool) ? 1 : 0;
}
