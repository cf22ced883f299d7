/*
 * by_hand.h as a shared library: what the same header costs where it is called.
 */
#define BY_HAND_LINKAGE /* exported */
#include "by_hand.h"
