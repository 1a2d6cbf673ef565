/* What the compiler calls for copies and fills, and the generator that the programs take their data from. */
#include "library.h"

void *memcpy(void *to, const void *from, ux size) {
  for (ux i = 0; i < size; i++) ((u8 *)to)[i] = ((const u8 *)from)[i];
  return to;
}

void *memset(void *to, int byte, ux size) {
  for (ux i = 0; i < size; i++) ((u8 *)to)[i] = (u8)byte;
  return to;
}

u64 random64(u64 *state) {
  u64 z = *state += 0x9E3779B97F4A7C15ul;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ul;
  z = (z ^ z >> 27) * 0x94D049BB133111EBul;
  return z ^ z >> 31;
}
