/* Objects of a Git library: one macro counts all types, and its caller names the function that frees. */
#include <stdio.h>
#include <stdlib.h>

struct refcount {
    int refs;
};

#define REFCOUNT_INC(object) __atomic_add_fetch(&(object)->rc.refs, 1, __ATOMIC_SEQ_CST)
#define REFCOUNT_DEC(object, do_free)                                                              \
    do {                                                                                           \
        if (__atomic_sub_fetch(&(object)->rc.refs, 1, __ATOMIC_SEQ_CST) <= 0)                      \
            do_free(object);                                                                       \
    } while (0)

struct odb {
    struct refcount rc;
};

struct repository {
    struct refcount rc;
    struct odb *odb;
};

static void odb_do_free(struct odb *odb)
{
    puts("odb freed");
    free(odb);
}

static void odb_free(struct odb *odb)
{
    if (!odb)
        return;
    REFCOUNT_DEC(odb, odb_do_free);
}

static struct odb *odb_new(void)
{
    struct odb *odb = calloc(1, sizeof *odb);

    if (!odb)
        abort();
    REFCOUNT_INC(odb);
    return odb;
}

static void repository_do_free(struct repository *repository)
{
    puts("repository freed");
    odb_free(repository->odb);
    free(repository);
}

static void repository_free(struct repository *repository)
{
    if (!repository)
        return;
    REFCOUNT_DEC(repository, repository_do_free);
}

static struct repository *repository_new(struct odb *odb)
{
    struct repository *repository = calloc(1, sizeof *repository);

    if (!repository)
        abort();
    REFCOUNT_INC(repository);
    REFCOUNT_INC(odb);
    repository->odb = odb;
    return repository;
}

int main(void)
{
    struct odb *odb = odb_new();
    struct repository *repository = repository_new(odb);

    odb_free(odb);
    repository_free(repository);
    return 0;
}
