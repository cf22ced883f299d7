/*
 * Refs that are handed to threads: a std::thread gets a copy or a moved ref, pthread_create() a pointer with its
 * reference, and a lookup finds an object while its last reference goes. Each holder writes its own field, and
 * the free function reads all fields. ThreadSanitizer reports nothing only if the end of each ref happens before
 * the free function.
 *
 * tools: tsan
 */
#include "check.h"

#include <atomic>
#include <kref.hpp>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

static const int threads = 4, rounds = 50;

struct object {
    struct kref kref;
    int by_creator;
    int by_thread[threads];
};

using ref = libkref::ref<object>;

static std::atomic<int> freed;
static std::mutex lock;
static std::vector<object *> table; /* holds no references */

static void object_free(object *o)
{
    std::lock_guard<std::mutex> held(lock);
    int sum = 0;

    for (int n : o->by_thread)
        sum += n;
    CHECK(sum == threads && o->by_creator == 2);
    for (object *&entry : table)
        if (entry == o)
            entry = nullptr;
    freed++;
    delete o;
}

KREF_DEFINE(object, object, kref, object_free);

static ref object_new()
{
    object *o = new object();

    object_ref_init(o);
    o->by_creator = 1;
    return libkref::adopt(o);
}

static void handed_over()
{
    std::vector<std::thread> running;
    ref o = object_new();

    for (int i = 0; i < threads; i++) {
        if (i % 2) {
            running.emplace_back([o, i] { o->by_thread[i] = 1; }); /* a copy */
        } else {
            ref more = o;

            running.emplace_back([i](ref mine) { mine->by_thread[i] = 1; }, std::move(more));
        }
    }
    o->by_creator = 2;
    o.reset();
    for (std::thread &thread : running)
        thread.join();
}

/* To pthread_create() and back, through a pointer with its reference. */
static void handed_over_to_c()
{
    pthread_t thread;
    ref o = object_new();
    void *(*body)(void *) = [](void *arg) -> void * {
        ref mine = libkref::adopt(static_cast<object *>(arg));

        for (int &n : mine->by_thread)
            n = 1;
        return nullptr;
    };

    start(&thread, body, ref(o).release());
    o->by_creator = 2;
    o.reset();
    join(thread);
}

static ref find()
{
    std::lock_guard<std::mutex> held(lock);

    return table.empty() ? nullptr : libkref::retain_unless_zero(table[0]);
}

/* Lookups while the last reference goes. */
static void looked_up()
{
    ref o = object_new();
    std::vector<std::thread> running;

    table.assign(1, o.get());
    for (int &n : o->by_thread)
        n = 1;
    o->by_creator = 2;
    for (int i = 0; i < threads; i++)
        running.emplace_back([] {
            ref found = find();

            CHECK(!found || found->by_creator == 2);
        });
    o.reset();
    for (std::thread &thread : running)
        thread.join();
    CHECK(!find());
}

int main()
{
    for (int round = 0; round < rounds; round++) {
        handed_over();
        handed_over_to_c();
        looked_up();
    }
    CHECK(freed == 3 * rounds);
    return 0;
}
