/* Integer matrices: products in four element types, determinants modulo a prime, transposition, a prefix sum. */
#include "../guest/library.h"

enum { N = 9, P = 65521 };
static i64 a[N][N], b[N][N], c[N][N];
static i32 ia[N][N], ib[N][N], ic[N][N];
static short sa[N][N], sb[N][N], sc[N][N];
static u8 ba[N][N], bc[N][N];
static u32 results[4];

static u32 power(u32 base, u32 exponent) {
  u32 r = 1;
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) r = (u32)((u64)r * base % P);
    base = (u32)((u64)base * base % P);
  }
  return r;
}

static u32 determinant(i64 m[N][N]) {
  u32 d = 1;
  for (int k = 0; k < N; k++)
    for (int j = 0; j < N; j++) m[k][j] = ((m[k][j] % P) + P) % P;
  for (int k = 0; k < N; k++) {
    int pivot = k;
    while (pivot < N && m[pivot][k] == 0) pivot++;
    if (pivot == N) return 0;
    if (pivot != k) {
      for (int j = 0; j < N; j++) {
        i64 t = m[k][j];
        m[k][j] = m[pivot][j];
        m[pivot][j] = t;
      }
      d = P - d;
    }
    d = (u32)((u64)d * (u64)m[k][k] % P);
    u32 inverse = power((u32)m[k][k], P - 2);
    for (int i = k + 1; i < N; i++) {
      u64 f = (u64)m[i][k] * inverse % P;
      for (int j = k; j < N; j++) m[i][j] = (i64)(((u64)m[i][j] + (P - f) * (u64)m[k][j]) % P);
    }
  }
  return d;
}

int main(void) {
  u64 seed = 5;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      a[i][j] = (i64)random64(&seed), b[i][j] = (i64)random64(&seed);
      ia[i][j] = (i32)random64(&seed), ib[i][j] = (i32)random64(&seed);
      sa[i][j] = (short)random64(&seed), sb[i][j] = (short)random64(&seed);
      ba[i][j] = (u8)random64(&seed);
    }
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++)
      for (int k = 0; k < N; k++) {
        c[i][j] += a[i][k] * b[k][j];
        ic[i][j] += ia[i][k] * ib[k][j];
        sc[i][j] = (short)(sc[i][j] + sa[i][k] * sb[k][j]);
        bc[j][i] = (u8)(bc[j][i] ^ ba[i][k] * ba[k][j]);
      }
  for (int i = 0; i < N; i++)
    for (int j = 1; j < N; j++) ic[i][j] += ic[i][j - 1] >> (j & 7);
  results[0] = determinant(a);
  results[1] = determinant(b);
  results[2] = determinant(c);
  results[3] = (u32)((u64)results[0] * results[1] % P);
  return results[2] == 0;
}
