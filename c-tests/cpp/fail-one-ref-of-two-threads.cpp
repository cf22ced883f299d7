/*
 * Two threads use one ref, and one of them changes it. Each needs a ref of its own, or a lock, or a kref_slot.
 * caught by: tsan: ThreadSanitizer: data race
 */
#include "check.h"

#include <kref.hpp>
#include <thread>

class job : public libkref::counted<job>
{
};

int main()
{
    libkref::ref<job> j = libkref::adopt(new job);
    std::thread thread([&j] { libkref::ref<job> mine = j; }); /* wrong; right: [j] */

    j = libkref::adopt(new job);
    thread.join();
    return 0;
}
