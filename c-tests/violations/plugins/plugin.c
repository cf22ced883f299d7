/* A plugin that misuses a count. */
#include <kref.h>

void misuse(struct kref *released);

void misuse(struct kref *released)
{
    kref_get(released);
}
