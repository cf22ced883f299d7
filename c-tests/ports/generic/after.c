/* Objects of a Git library: each type has its functions, and reports name the types. */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

struct odb {
    struct kref rc;
};

struct repository {
    struct kref rc;
    struct odb *odb;
};

static void odb_do_free(struct odb *odb)
{
    puts("odb freed");
    free(odb);
}

KREF_DEFINE(odb, struct odb, rc, odb_do_free);

static struct odb *odb_new(void)
{
    struct odb *odb = calloc(1, sizeof *odb);

    if (!odb)
        abort();
    odb_ref_init(odb);
    return odb;
}

static void repository_do_free(struct repository *repository)
{
    puts("repository freed");
    odb_unref(repository->odb);
    free(repository);
}

KREF_DEFINE(repository, struct repository, rc, repository_do_free);

static struct repository *repository_new(struct odb *odb)
{
    struct repository *repository = calloc(1, sizeof *repository);

    if (!repository)
        abort();
    repository_ref_init(repository);
    repository->odb = odb_ref(odb);
    return repository;
}

int main(void)
{
    struct odb *odb = odb_new();
    struct repository *repository = repository_new(odb);

    odb_unref(odb);
    repository_unref(repository);
    return 0;
}
