/*
 * The offset in the default line is an address of the ELF file, as addr2line wants it: also in a program with
 * fixed addresses. A program that is linked with -static has fixed addresses.
 *
 * tools: static
 */
#define _GNU_SOURCE
#include "number_line.h"

#include <elf.h>
#include <fcntl.h>

extern const char __ehdr_start[] __attribute__((visibility("hidden"))); /* the linker's: the file's first byte */

static struct kref kref = KREF_INIT(0);
static struct told told;

static __attribute__((noinline)) void misuse(void)
{
    kref_get(&kref);
    __asm__ volatile("");
}

int main(void)
{
    Elf32_Half type; /* at the same place in a 64-bit file */
    int is_fixed;
    char text[1024];
    ssize_t length;
    size_t offset;
    const char *plus;
    int ends[2];

    memcpy(&type, __ehdr_start + offsetof(Elf32_Ehdr, e_type), sizeof type);
    is_fixed = type == ET_EXEC;
    CHECK(!pipe2(ends, O_NONBLOCK) && dup2(ends[1], 2) == 2);
    misuse();
    length = read(ends[0], text, sizeof text - 1);
    CHECK(length > 0);
    text[length] = 0;

    kref = (struct kref)KREF_INIT(0);
    kref_set_violation_handler(remember, &told);
    misuse();
    offset = (size_t)told.last.caller - 1 - (is_fixed ? 0 : (size_t)__ehdr_start);
    plus = strchr(strstr(text, "called from "), '+');
    CHECK(plus && strtoul(plus + 1, NULL, 16) == offset);
    return 0;
}
