/*
 * by_hand.h as a shared library, for the cost of the same functions where they are called.
 */
#define BY_HAND_LINKAGE /* exported */
#include "by_hand.h"
