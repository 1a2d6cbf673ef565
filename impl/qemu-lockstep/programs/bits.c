/* Bit manipulation, each instruction by name, with results that a plain computation checks. */
#include "../guest/library.h"

enum { BITS = sizeof(ux) * 8 };

#define ONE(name, a) ({ ux r; __asm__(name " %0, %1" : "=r"(r) : "r"((ux)(a))); r; })
#define TWO(name, a, b) ({ ux r; __asm__(name " %0, %1, %2" : "=r"(r) : "r"((ux)(a)), "r"((ux)(b))); r; })
#define CONST(name, a, i) ({ ux r; __asm__(name " %0, %1, %2" : "=r"(r) : "r"((ux)(a)), "i"(i)); r; })

static ux sum;
static int wrong;

static void check(ux got, ux expected) {
  sum = (sum << 1 | sum >> (BITS - 1)) ^ got;
  if (got != expected) wrong = 1;
}

static ux left(ux a, ux n) { return n % BITS ? a << n % BITS | a >> (BITS - n % BITS) : a; }

static ux leading(ux a) {
  ux n = 0;
  while (n < BITS && !(a >> (BITS - 1 - n) & 1)) n++;
  return n;
}

static ux trailing(ux a) {
  ux n = 0;
  while (n < BITS && !(a >> n & 1)) n++;
  return n;
}

static ux ones(ux a) {
  ux n = 0;
  for (ux i = 0; i < BITS; i++) n += a >> i & 1;
  return n;
}

static ux bytes(ux a, int reverse) {
  ux r = 0;
  for (ux i = 0; i < BITS; i += 8) {
    ux byte = a >> i & 0xff;
    r |= (reverse ? byte : byte ? 0xff : 0) << (reverse ? BITS - 8 - i : i);
  }
  return r;
}

/* The product over GF(2), from bit `from` on. */
static ux carryless(ux a, ux b, ux from) {
  ux r = 0;
  for (ux i = 0; i < BITS; i++)
    if (b >> i & 1) r ^= i >= from ? a << (i - from) : from - i < BITS ? a >> (from - i) : 0;
  return r;
}

static void round_of(ux a, ux b) {
  check(TWO("sh1add", a, b), b + (a << 1));
  check(TWO("sh2add", a, b), b + (a << 2));
  check(TWO("sh3add", a, b), b + (a << 3));
  check(TWO("andn", a, b), a & ~b);
  check(TWO("orn", a, b), a | ~b);
  check(TWO("xnor", a, b), ~(a ^ b));
  check(ONE("clz", a), leading(a));
  check(ONE("ctz", a), trailing(a));
  check(ONE("cpop", a), ones(a));
  check(TWO("max", a, b), (ix)a < (ix)b ? b : a);
  check(TWO("maxu", a, b), a < b ? b : a);
  check(TWO("min", a, b), (ix)a < (ix)b ? a : b);
  check(TWO("minu", a, b), a < b ? a : b);
  check(ONE("sext.b", a), (ux)(ix)(signed char)a);
  check(ONE("sext.h", a), (ux)(ix)(short)a);
  check(ONE("zext.h", a), (u16)a);
  check(TWO("rol", a, b), left(a, b));
  check(TWO("ror", a, b), left(a, BITS - b % BITS));
  check(CONST("rori", a, 11), left(a, BITS - 11));
  check(ONE("orc.b", a), bytes(a, 0));
  check(ONE("rev8", a), bytes(a, 1));
  check(TWO("clmul", a, b), carryless(a, b, 0));
  check(TWO("clmulh", a, b), carryless(a, b, BITS));
  check(TWO("clmulr", a, b), carryless(a, b, BITS - 1));
  check(TWO("bclr", a, b), a & ~((ux)1 << b % BITS));
  check(TWO("bext", a, b), a >> b % BITS & 1);
  check(TWO("binv", a, b), a ^ (ux)1 << b % BITS);
  check(TWO("bset", a, b), a | (ux)1 << b % BITS);
  check(CONST("bclri", a, 7), a & ~(ux)128);
  check(CONST("bexti", a, 7), a >> 7 & 1);
  check(CONST("binvi", a, 7), a ^ 128);
  check(CONST("bseti", a, 7), a | 128);
#if __riscv_xlen == 64
  check(TWO("add.uw", a, b), b + (u32)a);
  check(TWO("sh1add.uw", a, b), b + ((ux)(u32)a << 1));
  check(TWO("sh2add.uw", a, b), b + ((ux)(u32)a << 2));
  check(TWO("sh3add.uw", a, b), b + ((ux)(u32)a << 3));
  check(CONST("slli.uw", a, 33), (ux)(u32)a << 33);
  check(ONE("clzw", a), leading((u32)a) - 32);
  check(ONE("ctzw", a | 256), trailing((u32)a | 256));
  check(ONE("cpopw", a), ones((u32)a));
  check(TWO("rorw", a, b), (ux)(ix)(i32)((u32)((u64)(u32)a >> b % 32) | (u32)a << (32 - b % 32) % 32));
  check(TWO("rolw", a, b), (ux)(ix)(i32)((u32)a << b % 32 | (u32)((u64)(u32)a >> (32 - b % 32))));
  check(CONST("roriw", a, 9), (ux)(ix)(i32)((u32)a >> 9 | (u32)a << 23));
#endif
}

/* What compilers rarely choose: a compressed arithmetic shift, and a compressed call. */
static void compressed(ux a) {
  register ux r __asm__("a0") = a;
  __asm__("c.srai %0, 3" : "+r"(r));
  check(r, (ux)((ix)a >> 3));
  __asm__ volatile("lla t0, 1f\n c.jalr t0\n1:" : : : "t0", "ra");
}

int main(void) {
  u64 state = 2024;
  for (int i = 0; i < 24; i++) {
    ux a = (ux)random64(&state), b = (ux)random64(&state);
    compressed(a);
    round_of(i % 4 == 0 ? a & 0xff : a, i % 3 == 0 ? b & 63 : b);
  }
  round_of(0, 0);
  round_of(~(ux)0, ~(ux)0);
  return wrong;
}
