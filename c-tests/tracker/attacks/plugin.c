/* Takes a reference under a name that lies in this plugin. */
#include <kref.h>

void plugin_hold(struct kref *kref);

void plugin_hold(struct kref *kref)
{
    kref_get_as(kref, "plugin"); /* HERE */
}
