/*
 * A button holds its callback, and the callback captures a reference on the button: they hold each other.
 * Seen with lambdas that capture by value. A borrowed pointer would be right, since the callback does not
 * outlive the button.
 *
 * found by: leak
 */
#include "check.h"

#include <functional>
#include <kref.hpp>

struct button {
    int clicks = 0;
    std::function<void()> on_click;
    struct kref kref;
};

static void button_free(button *button)
{
    delete button;
}

KREF_DEFINE(button, button, kref, button_free);

static void connect(const libkref::ref<button> &target)
{
#ifdef RIGHT
    button *self = target.get(); // FIX
    target->on_click = [self] { self->clicks++; };
#else
    libkref::ref<button> self = target; // BLAME
    target->on_click = [self = std::move(self)] { self->clicks++; };
#endif
}

int main()
{
    button *made = new button();

    button_ref_init(made);
    libkref::ref<button> held = libkref::adopt(made);
    connect(held);
    held->on_click();
    CHECK(held->clicks == 1);
    return 0;
}
