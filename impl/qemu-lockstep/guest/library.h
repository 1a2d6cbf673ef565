#ifndef LIBRARY_H
#define LIBRARY_H
#include "system.h"

void *memcpy(void *to, const void *from, ux size);
void *memset(void *to, int byte, ux size);

/* The next of a sequence of well-mixed numbers (SplitMix64). */
u64 random64(u64 *state);

#endif
