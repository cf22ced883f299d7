/*
 * A setter puts the old object and then takes a reference on the new one, and the two are one
 * object. Seen in assignments of counted pointers that do not expect an assignment to itself.
 *
 * found by: get-after-release
 */
#include "check.h"

struct theme {
    char name[16];
    struct kref kref;
};

struct window {
    struct theme *theme;
};

static void theme_release(struct kref *kref)
{
    free(kref_entry(kref, struct theme, kref));
}

static void set_theme(struct window *window, struct theme *theme)
{
#ifdef RIGHT
    kref_get(&theme->kref); /* FIX */
#endif
    kref_put(&window->theme->kref, theme_release);
#ifndef RIGHT
    kref_get(&theme->kref); /* BLAME */
#endif
    window->theme = theme;
}

int main(void)
{
    struct theme *theme = calloc(1, sizeof *theme);
    struct window window = { theme };

    CHECK(theme);
    kref_init(&theme->kref); /* the window's reference */
    set_theme(&window, window.theme);
    kref_put(&window.theme->kref, theme_release);
    return 0;
}
