/*
 * A setter puts the old object and then gets the new one, and they are the same. Met in each
 * assignment of a counted pointer that did not think of itself.
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
    kref_init(&theme->kref); /* the window's */
    set_theme(&window, window.theme);
    kref_put(&window.theme->kref, theme_release);
    return 0;
}
