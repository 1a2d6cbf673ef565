/* Atomic memory operations and load-reserved/store-conditional loops, on words and, where there are any, doublewords. */
#include "../guest/library.h"

static int wrong;
static u32 word, words[8];
static ux wide;

static void expect(u64 got, u64 expected) {
  if (got != expected) wrong = 1;
}

#define AMO(name, place, value) \
  ({ ux r; __asm__ volatile(name " %0, %2, (%1)" : "=r"(r) : "r"(&(place)), "r"((ux)(value)) : "memory"); r; })

/* What `atomic_fetch_update` loops are made of: adds, and counts how often it had to try. */
static ux add_reserved(volatile u32 *at, u32 by) {
  ux old, failed, tries = 0;
  do {
    tries++;
    __asm__ volatile("lr.w.aq %0, (%1)" : "=r"(old) : "r"(at) : "memory");
    u32 sum = (u32)old + by;
    __asm__ volatile("sc.w.rl %0, %2, (%1)" : "=&r"(failed) : "r"(at), "r"((ux)sum) : "memory");
  } while (failed);
  return tries;
}

static void words_of(u32 a, u32 b) {
  word = a;
  expect((u32)AMO("amoswap.w", word, b), a), expect(word, b);
  expect((u32)AMO("amoadd.w.aqrl", word, a), b), expect(word, a + b);
  word = a;
  AMO("amoxor.w", word, b), expect(word, a ^ b);
  word = a;
  AMO("amoand.w.aq", word, b), expect(word, a & b);
  word = a;
  AMO("amoor.w.rl", word, b), expect(word, a | b);
  word = a;
  AMO("amomin.w", word, b), expect(word, (i32)a < (i32)b ? a : b);
  word = a;
  AMO("amomax.w", word, b), expect(word, (i32)a < (i32)b ? b : a);
  word = a;
  AMO("amominu.w", word, b), expect(word, a < b ? a : b);
  word = a;
  AMO("amomaxu.w", word, b), expect(word, a < b ? b : a);
}

static void wides_of(ux a, ux b) {
#if __riscv_xlen == 64
  wide = a;
  expect(AMO("amoswap.d", wide, b), a), expect(wide, b);
  expect(AMO("amoadd.d", wide, a), b), expect(wide, a + b);
  wide = a;
  AMO("amoxor.d", wide, b), expect(wide, a ^ b);
  wide = a;
  AMO("amoand.d", wide, b), expect(wide, a & b);
  wide = a;
  AMO("amoor.d", wide, b), expect(wide, a | b);
  wide = a;
  AMO("amomin.d", wide, b), expect(wide, (ix)a < (ix)b ? a : b);
  wide = a;
  AMO("amomax.d", wide, b), expect(wide, (ix)a < (ix)b ? b : a);
  wide = a;
  AMO("amominu.d", wide, b), expect(wide, a < b ? a : b);
  wide = a;
  AMO("amomaxu.d", wide, b), expect(wide, a < b ? b : a);
  ux old, failed;
  __asm__ volatile("lr.d %0, (%1)" : "=r"(old) : "r"(&wide) : "memory");
  __asm__ volatile("sc.d %0, %2, (%1)" : "=&r"(failed) : "r"(&wide), "r"(old ^ a) : "memory");
  expect(failed, 0);
#endif
  (void)a, (void)b;
}

int main(void) {
  u64 state = 7;
  for (int i = 0; i < 60; i++) {
    ux a = (ux)random64(&state), b = (ux)random64(&state);
    words_of((u32)a, i % 5 ? (u32)b : (u32)a);
    wides_of(a, i % 5 ? b : a);
    expect(add_reserved(&words[a % 8], (u32)b), 1);
    __asm__ volatile("fence.i" ::: "memory");
  }
  /* No reservation: the second store-conditional fails. */
  ux failed;
  __asm__ volatile("sc.w %0, zero, (%1)" : "=&r"(failed) : "r"(&word) : "memory");
  expect(failed != 0, 1);
  return wrong;
}
