/* Four ways of sorting, on 64-bit, 32-bit, 16-bit and 8-bit elements, signed and unsigned. */
#include "../guest/library.h"

enum { WORDS = 200, INTS = 150, HALVES = 100, BYTES = 90 };

static u64 words[WORDS];
static i32 ints[INTS];
static u16 halves[HALVES];
static signed char bytes[BYTES], scratch[BYTES];

static void quicksort(u64 *a, i64 lo, i64 hi) {
  while (lo < hi) {
    u64 pivot = a[lo + (hi - lo) / 2];
    i64 i = lo, j = hi;
    while (i <= j) {
      while (a[i] < pivot) i++;
      while (a[j] > pivot) j--;
      if (i <= j) {
        u64 t = a[i];
        a[i++] = a[j];
        a[j--] = t;
      }
    }
    if (j - lo < hi - i) {
      quicksort(a, lo, j);
      lo = i;
    } else {
      quicksort(a, i, hi);
      hi = j;
    }
  }
}

static void sift(i32 *a, u64 root, u64 n) {
  for (u64 child; (child = 2 * root + 1) < n; root = child) {
    if (child + 1 < n && a[child] < a[child + 1]) child++;
    if (a[root] >= a[child]) return;
    i32 t = a[root];
    a[root] = a[child];
    a[child] = t;
  }
}

static void heapsort(i32 *a, u64 n) {
  for (u64 i = n / 2; i-- > 0;) sift(a, i, n);
  for (u64 i = n; i-- > 1;) {
    i32 t = a[0];
    a[0] = a[i];
    a[i] = t;
    sift(a, 0, i);
  }
}

static void shellsort(u16 *a, u64 n) {
  for (u64 gap = n / 2; gap > 0; gap /= 2)
    for (u64 i = gap; i < n; i++) {
      u16 t = a[i];
      u64 j = i;
      for (; j >= gap && a[j - gap] > t; j -= gap) a[j] = a[j - gap];
      a[j] = t;
    }
}

static void mergesort(signed char *a, signed char *b, u64 n) {
  if (n < 2) return;
  u64 half = n / 2, i = 0, j = half, k = 0;
  mergesort(a, b, half);
  mergesort(a + half, b, n - half);
  while (i < half && j < n) b[k++] = a[j] < a[i] ? a[j++] : a[i++];
  while (i < half) b[k++] = a[i++];
  while (j < n) b[k++] = a[j++];
  memcpy(a, b, n);
}

int main(void) {
  u64 seed = 1;
  int wrong = 0;
  for (u64 i = 0; i < WORDS; i++) words[i] = random64(&seed) >> random64(&seed) % 64;
  for (u64 i = 0; i < INTS; i++) ints[i] = (i32)random64(&seed);
  for (u64 i = 0; i < HALVES; i++) halves[i] = (u16)random64(&seed);
  for (u64 i = 0; i < BYTES; i++) bytes[i] = (signed char)random64(&seed);
  quicksort(words, 0, WORDS - 1);
  heapsort(ints, INTS);
  shellsort(halves, HALVES);
  mergesort(bytes, scratch, BYTES);
  for (u64 i = 1; i < WORDS; i++) wrong += words[i - 1] > words[i];
  for (u64 i = 1; i < INTS; i++) wrong += ints[i - 1] > ints[i];
  for (u64 i = 1; i < HALVES; i++) wrong += halves[i - 1] > halves[i];
  for (u64 i = 1; i < BYTES; i++) wrong += bytes[i - 1] > bytes[i];
  return wrong;
}
