/*
 * A table of accounts. The index by number and the index by owner each hold a reference, and so
 * do those that use an account for a moment, or for the time of an audit.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 16, OWNERS = 6, ACCOUNTS = 48, TRANSFERS = 160 };

struct account {
    struct kref kref;
    int number, owner;
    long cents;
    struct account *next;      /* by number */
    struct account *next_owns; /* by owner */
};

static struct account *by_number[PLACES], *by_owner[OWNERS];
static unsigned dice = 11;

static unsigned roll(unsigned below)
{
    dice = dice * 1103515245 + 12345;
    return dice / 65536 % below;
}

static void account_release(struct kref *kref)
{
    struct account *account = kref_entry(kref, struct account, kref);

    memset(account, 0x5a, sizeof *account);
    free(account);
}

static void account_put(struct account *account)
{
    kref_put(&account->kref, account_release);
}

static void number_add(struct account *account)
{
    struct account **place = &by_number[account->number % PLACES];

    kref_get(&account->kref); /* get: by number */
    account->next = *place;
    *place = account;
}

static void owner_add(struct account *account)
{
    kref_get(&account->kref); /* get: by owner */
    account->next_owns = by_owner[account->owner];
    by_owner[account->owner] = account;
}

static struct account *account_find(int number)
{
    struct account *account = by_number[number % PLACES];

    while (account && account->number != number)
        account = account->next;
    if (account)
        kref_get(&account->kref); /* get: found */
    return account;
}

static void open_account(int number, int owner)
{
    struct account *account = calloc(1, sizeof *account);

    if (!account)
        exit(1);
    kref_init(&account->kref); /* get: opening */
    account->number = number;
    account->owner = owner;
    account->cents = 10000;
    number_add(account);
    if (number % 5)
        owner_add(account);
    account_put(account); /* put: opening */
}

static int transfer(int from, int to, long cents)
{
    struct account *payer = account_find(from), *payee;
    int done = 0;

    if (!payer)
        return 0;
    payee = account_find(to);
    if (!payee)
        goto no_payee;
    if (payer->cents < cents)
        goto poor;
    payer->cents -= cents;
    payee->cents += cents;
    done = 1;
poor:
    account_put(payee); /* put: found */
no_payee:
    account_put(payer); /* put: found */
    return done;
}

static void close_number(int number)
{
    struct account **place = &by_number[number % PLACES], *account;

    while ((account = *place) && account->number != number)
        place = &account->next;
    if (!account)
        return;
    *place = account->next;
    account_put(account); /* put: by number */
}

static void owner_leaves(int owner)
{
    struct account *account;

    while ((account = by_owner[owner])) {
        by_owner[owner] = account->next_owns;
        close_number(account->number);
        account_put(account); /* put: by owner */
    }
}

static long audit(void)
{
    struct account *seen[ACCOUNTS];
    long sum = 0;
    int i, n = 0;

    for (i = 0; i < ACCOUNTS; i += 2) {
        struct account *account = account_find(i);

        if (!account)
            continue;
        seen[n] = account;
        kref_get(&seen[n++]->kref); /* get: audit */
        account_put(account); /* put: found */
    }
    while (n-- > 0) {
        sum += seen[n]->cents;
        account_put(seen[n]); /* put: audit */
    }
    return sum;
}

int main(void)
{
    long sum = 0;
    int i, moved = 0;

    for (i = 0; i < ACCOUNTS; i++)
        open_account(i, i % OWNERS);
    for (i = 0; i < TRANSFERS; i++) {
        moved += transfer((int)roll(ACCOUNTS + 8), (int)roll(ACCOUNTS + 8), (long)roll(4000));
        if (i == 80)
            sum = audit();
    }
    for (i = 0; i < OWNERS; i++)
        owner_leaves(i);
    for (i = 0; i < ACCOUNTS; i++)
        close_number(i);
    printf("%d transfers, %ld\n", moved, sum);
    return 0;
}
