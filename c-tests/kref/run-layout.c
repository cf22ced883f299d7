/*
 * C and Rust agree on sizes, alignments and offsets; the version macros agree with each other.
 */
#include "check.h"

#define STRING(x) #x
#define TEXT(x) STRING(x)

int main(void)
{
    CHECK(sizeof(struct kref) == 4 && sizeof(struct kref) == RUST_SIZEOF_KREF);
    CHECK(_Alignof(struct kref) == RUST_ALIGNOF_KREF);
    CHECK(sizeof(struct refcount_struct) == sizeof(struct kref));
    CHECK(offsetof(struct kref, refcount) == 0 && offsetof(struct refcount_struct, refs) == 0);
    CHECK(sizeof(struct kref_slot) == sizeof(void *));
    CHECK(sizeof(struct kref_slot) == RUST_SIZEOF_SLOT);
    CHECK(sizeof(struct percpu_ref) == RUST_SIZEOF_PERCPU_REF);
    CHECK(_Alignof(struct percpu_ref) == _Alignof(void *));
    CHECK(sizeof(struct percpu_ref_slot) == RUST_SIZEOF_PERCPU_REF_SLOT);
    /* Rust has more members behind these. */
    CHECK(sizeof(struct kref_violation) <= RUST_SIZEOF_VIOLATION);
    CHECK(offsetof(struct kref_violation, kref) == sizeof(void *));
    CHECK(offsetof(struct kref_violation, caller) == 2 * sizeof(void *));
    CHECK(!strcmp(KREF_VERSION, TEXT(KREF_VERSION_MAJOR) "." TEXT(KREF_VERSION_MINOR) "." TEXT(
                                    KREF_VERSION_PATCH)));
    return 0;
}
