/*
 * A function uses a file three times: it opens and closes it. The second use forgets to close. Seen in
 * long functions. All three have the same open function, which is where the reference was taken; its
 * caller is to blame. With one object nothing shows which of the three it is, and the report says so.
 *
 * found by: leak
 * wrappers: file_open
 */
#include "check.h"

struct file {
    int reads;
    struct kref kref;
};

static void file_release(struct kref *kref)
{
    free(kref_entry(kref, struct file, kref));
}

static void __attribute__((noinline)) file_open(struct file *file)
{
    kref_get(&file->kref);
    file->reads++;
}

int main(void)
{
    struct file *file = calloc(1, sizeof *file);

    CHECK(file);
    kref_init(&file->kref);
    file_open(file);
    kref_put(&file->kref, file_release);
    file_open(file); /* BLAME */
#ifdef RIGHT
    kref_put(&file->kref, file_release); /* FIX */
#endif
    file_open(file);
    kref_put(&file->kref, file_release);
    kref_put(&file->kref, file_release);
    return 0;
}
