/*
 * A function is lent an object by C code, and adopts the pointer: the libkref::ref gives back a reference that was
 * never taken. retain() would have been right. Seen in callbacks from C.
 *
 * found by: put-after-release
 */
#include "check.h"

#include <kref.hpp>

struct session {
    int id;
    struct kref kref;
};

static void session_free(session *session)
{
    delete session;
}

KREF_DEFINE(session, session, kref, session_free);

static int last_id;

static void on_message(session *borrowed)
{
#ifdef RIGHT
    libkref::ref<session> held = libkref::retain(borrowed); // FIX
#else
    libkref::ref<session> held = libkref::adopt(borrowed);
#endif

    last_id = held->id;
    held.reset(); // BLAME
}

int main()
{
    session *made = new session();

    session_ref_init(made);
    made->id = 5;
    on_message(made);
    session_unref(made);
    CHECK(last_id == 5);
    return 0;
}
