/* Calls, branches and memory: quicksort of pseudo-random numbers, again and again. */
#include "start.h"

#define COUNT 4096
static long data[COUNT];

static void quicksort(long *first, long *last) {
  while (first < last) {
    long pivot = first[(last - first) / 2], *i = first, *j = last;
    while (i <= j) {
      while (*i < pivot) i++;
      while (*j > pivot) j--;
      if (i <= j) {
        long t = *i;
        *i++ = *j;
        *j-- = t;
      }
    }
    if (first < j) quicksort(first, j);
    first = i;
  }
}

static __attribute__((noinline)) unsigned long fibonacci(unsigned long n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

void _start(void) {
  unsigned long x = 88172645463325252ul, sum = 0;
  for (int round = 0; round < ROUNDS; round++) {
    for (int i = 0; i < COUNT; i++) {
      x ^= x << 13;
      x ^= x >> 7;
      x ^= x << 17;
      data[i] = (long)x;
    }
    quicksort(data, data + COUNT - 1);
    for (int i = 1; i < COUNT; i++) sum += data[i - 1] <= data[i];
    sum += fibonacci(18);
  }
  leave(sum);
}
