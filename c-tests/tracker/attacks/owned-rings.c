/*
 * More threads than the recorder has states for, since it was started under a limit of the memory. When the threads
 * have ended, no ring belongs to them any more.
 */
#include "../object.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define THREADS 8

/* track/wire/src/head.rs and ring.rs. */
struct head {
    uint64_t magic;
    uint32_t rings, ring_bytes, answer_bytes;
};

#define HEAD_BYTES 4096
#define OWNER 2

/* How many rings have an owner. */
static int owned_rings(void)
{
    const char *path = getenv("KREF_TRACK_SESSION");
    int file, owned = 0;
    uint32_t i;
    char *start;
    struct head *head;
    size_t size;

    CHECK((file = open(path, O_RDONLY)) >= 0);
    head = mmap(NULL, HEAD_BYTES, PROT_READ, MAP_SHARED, file, 0);
    CHECK(head != MAP_FAILED);
    size = HEAD_BYTES + head->answer_bytes + (size_t)head->rings * head->ring_bytes;
    start = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);
    CHECK(start != MAP_FAILED);
    for (i = 0; i < head->rings; i++) {
        uint64_t *ring =
            (uint64_t *)(start + HEAD_BYTES + head->answer_bytes + (size_t)i * head->ring_bytes);

        owned += __atomic_load_n(&ring[OWNER], __ATOMIC_RELAXED) != 0;
    }
    CHECK(munmap(start, size) == 0 && munmap(head, HEAD_BYTES) == 0 && close(file) == 0);
    return owned;
}

static pthread_barrier_t all_began;

static void *use(void *unused)
{
    object_put(object_new());
    pthread_barrier_wait(&all_began);
    return unused;
}

int main(void)
{
    struct rlimit limit;
    pthread_t threads[THREADS];
    int before, i;

    /* The threads' stacks have room again. */
    if (!getenv("KREF_TRACK_SESSION"))
        return 0;
    CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    object_put(object_new());
    before = owned_rings();
    CHECK(pthread_barrier_init(&all_began, NULL, THREADS) == 0);
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, use, NULL) == 0);
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(owned_rings() <= before);
    return 0;
}
