/*
 * Sessions in a kref_pool, found by handle; the settings that they were opened with are in a slot
 * and are replaced while sessions use the old ones.
 */
#include <kref.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { CLIENTS = 12, MESSAGES = 300, WAITING = 32 };

struct settings {
    struct kref kref;
    int version, limit;
};

struct session {
    struct kref kref;
    struct settings *settings;
    int messages;
};

static struct kref_slot current = KREF_SLOT_INIT;
static uint64_t handles[CLIENTS];
static struct session *waiting[WAITING];
static int nwaiting, lost, answered, closed;

static void settings_free(struct settings *settings)
{
    free(settings);
}

KREF_DEFINE(settings, struct settings, kref, settings_free);

static void session_cleanup(struct session *session)
{
    closed++;
    settings_unref(session->settings); /* put: session's settings */
}

KREF_POOL_DEFINE(session, struct session, kref, session_cleanup);

static void reload(int version)
{
    struct settings *settings = malloc(sizeof *settings), *old;

    if (!settings)
        abort();
    settings_ref_init(settings); /* get: slot */
    settings->version = version;
    settings->limit = 5 + version % 7;
    old = settings_slot_replace(&current, settings); /* get: slot */
    if (old)
        settings_unref(old); /* put: slot */
}

static void login(int client)
{
    struct session *session = session_alloc();

    if (!session)
        abort();
    session->messages = 0;
    session->settings = settings_slot_get(&current); /* get: session's settings */
    handles[client] = session_handle(session);
    session_publish(session); /* get: login */
}

static void logout(struct session *session, int client)
{
    handles[client] = 0;
    session_unref(session); /* put: login */
}

static int allowed(int messages)
{
    struct settings *settings = settings_slot_get(&current); /* get: check */
    int limit = settings->limit;

    settings_unref(settings); /* put: check */
    return messages < limit;
}

static void answer_later(struct session *session)
{
    waiting[nwaiting++] = session_ref(session); /* get: answer */
}

static void answer_all(void)
{
    while (nwaiting > 0) {
        answered++;
        nwaiting--;
        session_unref(waiting[nwaiting]); /* put: answer */
    }
}

static void message(int client)
{
    struct session *session = session_by_handle(handles[client]); /* get: message */

    if (!session) {
        lost++;
        login(client);
        return;
    }
    session->messages++;
    if (!allowed(session->messages))
        logout(session, client);
    else if (session->messages % 2)
        answer_later(session);
    session_unref(session); /* put: message */
    if (nwaiting == WAITING)
        answer_all();
}

int main(void)
{
    struct session *session;
    struct settings *last;
    int i;

    reload(1);
    for (i = 0; i < MESSAGES; i++) {
        message(i * 7 % CLIENTS);
        if (i % 14 == 13)
            reload(i);
        if (i % 25 == 24)
            answer_all();
    }
    answer_all();
    for (i = 0; i < CLIENTS; i++)
        if ((session = session_by_handle(handles[i]))) { /* get: message */
            logout(session, i);
            session_unref(session); /* put: message */
        }
    last = settings_slot_replace(&current, NULL); /* get: slot */
    settings_unref(last); /* put: slot */
    printf("%d lost, %d answered, %d closed\n", lost, answered, closed);
    return 0;
}
