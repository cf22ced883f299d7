/* A header of the port whose name is also that of a header of libkref: kref/track.h. */
#define PORT_TRACKS 1
