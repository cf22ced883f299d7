/*
 * A program that puts through a wrapper of its own has the wrapper's caller in the line too, where the wrapper
 * has a frame pointer. A register that holds anything else does no harm.
 *
 * without: qemu-user, which has no process_vm_readv()
 */
#define _GNU_SOURCE
#include "number_line.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>

static int stderr_pipe[2];
static struct kref kref = KREF_INIT(0);

static const char *written(void)
{
    static char text[4096];
    ssize_t length = read(stderr_pipe[0], text, sizeof text - 1);

    text[length > 0 ? length : 0] = 0;
    return text;
}

static __attribute__((noinline)) void session_get(struct kref *session)
{
    /* Makes the compiler keep the frame pointer. */
    void *volatile frame = __builtin_frame_address(0);

    (void)frame;
    kref_get(session);
    __asm__ volatile("");
}

static char outer_end[1];

static __attribute__((noinline)) void outer(void)
{
    session_get(&kref);
    __asm__ volatile("" : : "r"(outer_end));
}

/* The place behind ", perhaps from ", in the file's own addresses; 0 if there is none. */
static unsigned long outer_place(const char *line)
{
    const char *from = strstr(line, ", perhaps from ");

    return from ? strtoul(strrchr(from, '+') + 1, NULL, 16) : 0;
}

#ifdef __x86_64__
/*
 * kref_get() with any value where a frame pointer may be. Inlined, so that each use is a new caller: the
 * library writes one line for each caller.
 */
static inline __attribute__((always_inline)) void get_with(size_t frame)
{
    void (*get)(struct kref *) = kref_get;
    struct kref *object = &kref;

    kref.refcount.refs = RELEASED;
    __asm__ volatile("push %%rbp\n"
                     "mov %%rsp, %%r12\n"
                     "sub $256, %%rsp\n"
                     "and $-16, %%rsp\n"
                     "mov %[frame], %%rbp\n"
                     "call *%[get]\n"
                     "mov %%r12, %%rsp\n"
                     "pop %%rbp"
                     : [frame] "+c"(frame), [get] "+a"(get), "+D"(object)
                     :
                     : "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "memory", "cc");
}

/* The first address above the mapping of this thread's stack. */
static size_t stack_end(void)
{
    size_t here = (size_t)__builtin_frame_address(0), begin, end = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];

    CHECK(maps);
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%zx-%zx", &begin, &end) == 2 && begin <= here && here < end)
            break;
    fclose(maps);
    return end;
}

static void get_with_garbage(void)
{
    size_t here = (size_t)__builtin_frame_address(0);
    char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(page != MAP_FAILED);
    get_with(0);
    get_with(1);
    get_with((size_t)-1);
    get_with((size_t)-8);
    get_with(SIZE_MAX / 2 + 1);
    get_with((size_t)page);
    get_with((size_t)&kref);
    /* Up the stack, at its end and beyond it, and down. */
    get_with(here + 8);
    get_with(here + 4088);
    get_with(stack_end() - 16);
    get_with(stack_end() - 8);
    get_with(stack_end());
    get_with(stack_end() + 8);
    get_with(here - 4096);
}
#endif

int main(void)
{
    const char *line;
    Dl_info info;
    size_t place, base;

    CHECK(!pipe2(stderr_pipe, O_NONBLOCK) && dup2(stderr_pipe[1], 2) == 2);
    outer();
    line = written();
    CHECK(lines(line) == 1 && strstr(line, "called from "));
#if defined __x86_64__ || defined __aarch64__ || defined __riscv
    place = outer_place(line);
    CHECK(place && dladdr((void *)(size_t)outer, &info));
    base = ((unsigned char *)info.dli_fbase)[16] == 2 ? 0 : (size_t)info.dli_fbase;
    CHECK(place + base > (size_t)outer && place + base < (size_t)outer + 128);
#else
    (void)info, (void)place, (void)base, (void)outer_place;
#endif
#ifdef __x86_64__
    get_with_garbage();
    CHECK(lines(written()) == 14);
#endif
    return 0;
}
