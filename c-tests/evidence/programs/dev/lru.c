/*
 * A cache of blocks. The hash and the list of recent use are one owner; readers pin blocks; dirty
 * blocks wait for the disk with a reference of the writer. Pinned blocks that were evicted live
 * on.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16, BLOCKS = 48, READS = 400 };

struct block {
    struct kref kref;
    int number, dirty;
    struct block *newer, *older;
    struct block *next_dirty;
    char bytes[64];
};

static struct {
    struct block *newest, *oldest;
    int count, hits, misses;
} cache;
static struct block *dirty_blocks;
static char disk[BLOCKS][64];

static void block_free(struct kref *kref)
{
    free(kref_entry(kref, struct block, kref));
}

static void unlink_block(struct block *block)
{
    *(block->newer ? &block->newer->older : &cache.newest) = block->older;
    *(block->older ? &block->older->newer : &cache.oldest) = block->newer;
    cache.count--;
}

static void link_block(struct block *block)
{
    block->newer = NULL;
    block->older = cache.newest;
    *(cache.newest ? &cache.newest->newer : &cache.oldest) = block;
    cache.newest = block;
    cache.count++;
}

static void evict(void)
{
    struct block *victim = cache.oldest;

    unlink_block(victim);
    kref_put(&victim->kref, block_free); /* put: cache */
}

/* Returns the block, pinned. */
static struct block *block_read(int number)
{
    struct block *block;

    for (block = cache.newest; block; block = block->older)
        if (block->number == number) {
            unlink_block(block);
            link_block(block);
            kref_get(&block->kref); /* get: pin */
            cache.hits++;
            return block;
        }
    cache.misses++;
    block = malloc(sizeof *block);
    if (!block)
        abort();
    kref_init(&block->kref); /* get: cache */
    block->number = number;
    block->dirty = 0;
    memcpy(block->bytes, disk[number], sizeof block->bytes);
    link_block(block);
    kref_get(&block->kref); /* get: pin */
    if (cache.count > MOST)
        evict();
    return block;
}

static void block_unpin(struct block *block)
{
    kref_put(&block->kref, block_free); /* put: pin */
}

static void block_write(struct block *block, char byte)
{
    memset(block->bytes, byte, sizeof block->bytes);
    if (block->dirty)
        return;
    block->dirty = 1;
    kref_get(&block->kref); /* get: writeback */
    block->next_dirty = dirty_blocks;
    dirty_blocks = block;
}

static int write_back(void)
{
    struct block *block;
    int n = 0;

    while ((block = dirty_blocks)) {
        dirty_blocks = block->next_dirty;
        memcpy(disk[block->number], block->bytes, sizeof block->bytes);
        block->dirty = 0;
        kref_put(&block->kref, block_free); /* put: writeback */
        n++;
    }
    return n;
}

/* Copies four blocks, as a file system does for a snapshot: all of them are pinned at once. */
static void copy(int from, int to)
{
    struct block *source[4], *target;
    int i;

    for (i = 0; i < 4; i++)
        source[i] = block_read((from + i * 5) % BLOCKS);
    for (i = 0; i < 4; i++) {
        target = block_read((to + i * 3) % BLOCKS);
        block_write(target, source[i]->bytes[0]);
        block_unpin(target);
    }
    for (i = 0; i < 4; i++)
        block_unpin(source[i]);
}

int main(void)
{
    int i, written = 0;

    for (i = 0; i < READS; i++) {
        struct block *block = block_read((i * i + 7 * i) % BLOCKS);

        if (i % 4 == 1)
            block_write(block, (char)i);
        block_unpin(block);
        if (i % 50 == 20)
            copy(i % BLOCKS, i / 2 % BLOCKS);
        if (i % 32 == 31)
            written += write_back();
    }
    written += write_back();
    while (cache.oldest)
        evict();
    printf("%d hits, %d misses, %d written\n", cache.hits, cache.misses, written);
    return 0;
}
