/* examples/server/server.c, for the tracker: nothing to say, or with --leak who forgot it. */
#include "../../../examples/server/server.c"
