/*
 * Tickets in a kref_pool. Timers, messages and the web page name a ticket by its handle, which
 * holds nothing; whoever works on a ticket holds it; the board shows tickets through slots.
 */
#include <kref.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 260, STAFF = 5, BOARD = 4, TIMERS = 16, INBOX = 20 };

struct ticket {
    struct kref kref;
    int number, work;
    struct ticket *blocked_by;
};

struct timer {
    uint64_t handle;
    int due;
};

static struct kref_slot board[BOARD];
static struct ticket *desks[STAFF], *open_tickets[INBOX];
static struct timer timers[TIMERS];
static uint64_t letters[INBOX];
static int opened, solved, late, stale, cleaned;

static void ticket_cleanup(struct ticket *ticket);

KREF_POOL_DEFINE_WITH(ticket, struct ticket, kref, ticket_cleanup, KREF_POOL_ZEROED, 0);

static void ticket_cleanup(struct ticket *ticket)
{
    cleaned++;
    if (ticket->blocked_by)
        ticket_unref(ticket->blocked_by); /* put: blocker */
}

static void block(struct ticket *ticket, uint64_t other)
{
    ticket->blocked_by = ticket_by_handle(other); /* get: blocker */
    if (!ticket->blocked_by)
        stale++;
}

static void ticket_open(int number)
{
    struct ticket **place = &open_tickets[number % INBOX], *ticket;

    if (*place)
        return;
    ticket = ticket_alloc();
    if (!ticket)
        abort();
    ticket->number = number;
    if (number % 4 == 0)
        block(ticket, letters[number * 3 % INBOX]);
    letters[number % INBOX] = ticket_handle(ticket);
    timers[number % TIMERS] = (struct timer){ ticket_handle(ticket), number + 30 };
    ticket_publish(ticket); /* get: open */
    *place = ticket;
    opened++;
}

static void ticket_close(struct ticket *ticket)
{
    struct ticket **place = &open_tickets[ticket->number % INBOX];

    if (*place != ticket)
        return;
    *place = NULL;
    solved++;
    ticket_unref(ticket); /* put: open */
}

static void put_down(int desk)
{
    struct ticket *ticket = desks[desk];

    if (!ticket)
        return;
    desks[desk] = NULL;
    if (ticket->work > 3)
        ticket_close(ticket);
    ticket_unref(ticket); /* put: desk */
}

static void pick_up(int desk, uint64_t handle)
{
    struct ticket *ticket = ticket_by_handle(handle); /* get: lookup */

    if (!ticket) {
        stale++;
        return;
    }
    if (desks[desk] != ticket) {
        put_down(desk);
        desks[desk] = ticket_ref(ticket); /* get: desk */
    }
    ticket->work++;
    ticket_unref(ticket); /* put: lookup */
}

static void board_show(int place, uint64_t handle)
{
    struct ticket *next = ticket_by_handle(handle), *old; /* get: board */

    old = ticket_slot_replace(&board[place], next); /* get: board */
    if (old)
        ticket_unref(old); /* put: board */
}

static int board_read(int place)
{
    struct ticket *ticket = ticket_slot_get(&board[place]); /* get: viewer */
    int work;

    if (!ticket)
        return 0;
    work = ticket->work;
    ticket_unref(ticket); /* put: viewer */
    return work;
}

static void timer_tick(int now)
{
    struct timer *timer = &timers[now % TIMERS];
    struct ticket *ticket;

    if (!timer->handle || timer->due > now)
        return;
    ticket = ticket_by_handle(timer->handle); /* get: timer */
    timer->handle = 0;
    if (!ticket)
        return;
    late++;
    if (ticket->work)
        ticket_close(ticket);
    ticket_unref(ticket); /* put: timer */
}

int main(void)
{
    unsigned cursor = 0;
    struct ticket *ticket;
    long seen = 0;
    int i;

    for (i = 0; i < STEPS; i++) {
        if (i % 2 == 0)
            ticket_open(i / 2);
        pick_up(i * 3 % STAFF, letters[i * i % INBOX]);
        if (i % 5 == 1)
            board_show(i / 5 % BOARD, letters[(i + 7) % INBOX]);
        seen += board_read(i % BOARD);
        timer_tick(i);
    }
    for (i = 0; i < STAFF; i++)
        put_down(i);
    for (i = 0; i < BOARD; i++)
        board_show(i, 0);
    while ((ticket = ticket_next(&cursor))) { /* get: audit */
        ticket_close(ticket);
        ticket_unref(ticket); /* put: audit */
    }
    printf("%d opened, %d solved, %d late, %d stale, %ld\n", opened, solved, late, stale, seen);
    return 0;
}
