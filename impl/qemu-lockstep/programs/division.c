/* 64-bit and 32-bit division and remainder: gcd, modular powers, primes, digits, square roots, 128-bit products. */
#include "../guest/library.h"

static u64 results[64];
static char digits[32];
static u8 composite[400];

static u64 gcd(u64 a, u64 b) {
  while (b != 0) {
    u64 t = a % b;
    a = b;
    b = t;
  }
  return a;
}

static i64 inverse(i64 a, i64 m) {
  i64 x = 1, y = 0, b = m;
  while (b != 0) {
    i64 q = a / b, t = a - q * b;
    a = b, b = t;
    t = x - q * y;
    x = y, y = t;
  }
  return x < 0 ? x + m : x;
}

static u64 power(u64 base, u64 exponent, u64 modulus) {
  u64 r = 1;
  for (base %= modulus; exponent > 0; exponent >>= 1) {
    if (exponent & 1) r = r * base % modulus;
    base = base * base % modulus;
  }
  return r;
}

static u64 root(u64 n) {
  u64 x = n, y = n / 2 + 1;
  while (y < x) {
    x = y;
    y = (x + n / x) / 2;
  }
  return x;
}

static u64 print(i64 v, char *to) {
  u64 n = 0, m = v < 0 ? -(u64)v : (u64)v;
  do {
    to[n++] = (char)('0' + m % 10);
    m /= 10;
  } while (m);
  if (v < 0) to[n++] = '-';
  return n;
}

static u64 product(u64 a, u64 b) {
  unsigned __int128 p = (unsigned __int128)a * b;
  return (u64)(p >> 64) ^ (u64)p;
}

static u64 signed_product(i64 a, i64 b) {
  __int128 p = (__int128)a * b;
  return (u64)(p >> 64) + (u64)p;
}

int main(void) {
  u64 seed = 3, n = 0;
  for (int i = 0; i < 40; i++) {
    u64 a = random64(&seed) >> (i & 31), b = random64(&seed) >> (i * 3 & 63) | 1;
    results[n & 63] ^= gcd(a, b);
    results[n & 63] += a / b + a % b;
    results[n & 63] ^= (u64)((i64)a / (i64)b) + (u64)((i64)~a % (i64)b);
    results[n & 63] += (u32)a / (u32)b + (u32)a % (u32)b;
    results[n & 63] ^= (u64)(i64)((i32)a / ((i32)(b >> 8) | 3)) + (u64)(i64)((i32)~a % ((i32)(b >> 16) | 5));
    results[n++ & 63] += product(a, b) ^ signed_product((i64)a, -(i64)b);
  }
  for (int i = 2; i < 30; i++) results[n++ & 63] ^= (u64)inverse(i, 1000003) + power((u64)i, 1000001, 1000003);
  for (u64 i = 1; i < 12; i++) results[n++ & 63] += root(i * 0x123456789abul) + print(-(i64)(i * 0x1122334455667ul), digits);
  for (u64 i = 2; i < 20; i++)
    if (!composite[i])
      for (u64 k = i * i; k < sizeof composite; k += i) composite[k] = 1;
  int wrong = 0;
  for (u64 i = 2; i < 30; i++) wrong += (u64)inverse((i64)i, 1000003) != power(i, 1000001, 1000003);
  return wrong;
}
