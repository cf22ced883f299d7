/* The plugins of this host. */
#ifndef PLUGINS_H
#define PLUGINS_H

#include "host.h"

extern const struct plugin_calls notes, mirror, counter;
extern int answers;

#endif
