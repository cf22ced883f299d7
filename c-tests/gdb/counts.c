/*
 * Counts in every state. gdb.rs stops the program in look_around() and has gdb print the counts.
 *
 * The program stores the number of each state itself: no operation of the library is needed. Beside
 * each number stand the words that gdb/kref.py must show.
 */
#include <kref.h>
#include <linux/refcount.h>
#include <stdlib.h>

#define TRACKED_BEGIN 0x20000000
#define TRACKED_END 0x30000000
#define THREADS (1 << 22)

#define STORED(number) { { (number) } }

static struct {
    const char *expected;
    struct kref kref;
} states[] = {
    { "1 reference", STORED(INT_MIN) },
    { "2 references", STORED(INT_MIN + 1) },
    { "3 references", STORED(INT_MIN + 2) },
    { "2147483647 references", STORED(-2) },
    { "2147483648 references", STORED(-1) },
    { "never initialised", STORED(0) },
    { "never initialised", STORED(THREADS - 1) },
    { "saturated", STORED(THREADS) },
    { "saturated", STORED(TRACKED_BEGIN + 32) },
    { "tracked, 1 reference", STORED(TRACKED_BEGIN + 33) },
    { "tracked, 1 reference", STORED(TRACKED_BEGIN + 127) },
    { "tracked, 2 references", STORED(TRACKED_BEGIN + 128) },
    { "tracked, 3 references", STORED(TRACKED_BEGIN + 32 + 3 * 64) },
    { "tracked, 4194303 references", STORED(TRACKED_END - 1) },
    { "saturated", STORED(TRACKED_END) },
    { "saturated", STORED(0x60000000) },
    { "saturated", STORED(INT_MAX - THREADS) },
    { "released", STORED(INT_MAX - THREADS + 1) },
    { "released", STORED(INT_MAX) },
};

struct session {
    int id;
    struct kref kref;
};

static struct session five = { 5, STORED(INT_MIN + 2) };
static const volatile struct session six = { 6, STORED(INT_MIN) };
static refcount_t bare = { 0 };
static struct kref pair[2] = { STORED(INT_MAX), STORED(0) };

int look_around(int id);

/* The compiler must keep everything that gdb prints, and the caller's frame. */
__attribute__((__noinline__)) int look_around(int id)
{
    __asm__ volatile("" : : "g"(states), "g"(&six), "g"(&bare), "g"(pair) : "memory");
    return id;
}

int main(int argc, char **argv)
{
    /* Another struct with the name of ours, as the kernel has one. */
    struct kref {
        struct {
            struct {
                int counter;
            } refs;
        } refcount;
    } volatile other = { { { 1 } } };
    struct session *session = &five, partly;

    (void)argv;
    /* -O2 drops the random number, since no code uses it, and keeps the id. */
    partly.id = session->id * argc;
    partly.kref.refcount.refs = rand();
    /* The linker drops a library of which nothing is called. */
    return look_around(partly.id) != 5 || other.refcount.refs.counter != 1
        || kref_rseq_available() < 0;
}
