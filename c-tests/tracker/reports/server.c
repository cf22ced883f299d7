/* examples/server/server.c. It leaks nothing, or with --leak sessions. */
#include "../../../examples/server/server.c"
