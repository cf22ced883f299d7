/*
 * Breaks rule 1: the thread gets a pointer, and the only ref may end before the thread does. Here it ends.
 * caught by: asan: heap-use-after-free
 * caught by: tsan: ThreadSanitizer: heap-use-after-free
 */
#include "check.h"

#include <atomic>
#include <kref.hpp>
#include <thread>

class job : public libkref::counted<job>
{
  public:
    int number = 1;
};

/* Relaxed: the flag makes the wrong order happen, but must not order memory by itself. */
static std::atomic<bool> ended;

static std::thread start_job()
{
    libkref::ref<job> j = libkref::adopt(new job);
    job *pointer = j.get();

    return std::thread([pointer] { /* wrong; right: [j] */
        while (!ended.load(std::memory_order_relaxed))
            ;
        pointer->number++;
    });
}

int main()
{
    std::thread thread = start_job();

    ended.store(true, std::memory_order_relaxed);
    thread.join();
    return 0;
}
