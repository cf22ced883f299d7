/*
 * A step of a state machine puts the command when it fails, and sets the state "failed". The function for
 * this state puts the command, too. Seen where the clean-up was moved into one place, but not all of it.
 *
 * found by: put-after-release
 */
#include "check.h"

enum state { SENT, ANSWERED, FAILED, ENDED };

struct command {
    enum state state;
    struct kref kref;
};

static void command_release(struct kref *kref)
{
    free(kref_entry(kref, struct command, kref));
}

static enum state answer(struct command *command, int is_good)
{
    if (!is_good) {
#ifndef RIGHT
        kref_put(&command->kref, command_release);
#endif
        return FAILED;
    }
    return ANSWERED;
}

static void run(struct command *command, int is_good)
{
    enum state state = SENT;

    while (state != ENDED) {
        switch (state) {
        case SENT:
            state = answer(command, is_good);
            break;
        default:
            kref_put(&command->kref, command_release); /* BLAME */
            state = ENDED;
        }
    }
}

int main(void)
{
    for (int i = 0; i < 3; i++) {
        struct command *command = calloc(1, sizeof *command);

        CHECK(command);
        kref_init(&command->kref);
        run(command, i != 2);
    }
    return 0;
}
