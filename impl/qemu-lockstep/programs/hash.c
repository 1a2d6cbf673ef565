/* Hash functions: FNV-1a, MurmurHash64A, SipHash-2-4, CRC-32 (bitwise and by table) and SHA-256, on one text. */
#include "../guest/library.h"

static u8 text[300];
static u64 results[8];
static u32 table[256], digest[8];

static u64 fnv1a(const u8 *p, u64 n) {
  u64 h = 0xcbf29ce484222325ul;
  for (u64 i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3ul;
  return h;
}

static u64 read64(const u8 *p) {
  u64 v = 0;
  for (int i = 7; i >= 0; i--) v = v << 8 | p[i];
  return v;
}

static u64 murmur(const u8 *p, u64 n, u64 seed) {
  const u64 m = 0xc6a4a7935bd1e995ul;
  u64 h = seed ^ n * m;
  for (u64 i = 0; i + 8 <= n; i += 8) {
    u64 k = read64(p + i) * m;
    h = (h ^ (k ^ k >> 47) * m) * m;
  }
  for (u64 i = n & ~7ul; i < n; i++) h ^= (u64)p[i] << 8 * (i & 7);
  h = (h ^ h >> 47) * m;
  return h ^ h >> 47;
}

static u64 rotate(u64 v, int n) { return v << n | v >> (64 - n); }

static void round(u64 v[4]) {
  v[0] += v[1], v[2] += v[3];
  v[1] = rotate(v[1], 13) ^ v[0], v[3] = rotate(v[3], 16) ^ v[2];
  v[0] = rotate(v[0], 32);
  v[2] += v[1], v[0] += v[3];
  v[1] = rotate(v[1], 17) ^ v[2], v[3] = rotate(v[3], 21) ^ v[0];
  v[2] = rotate(v[2], 32);
}

static u64 siphash(const u8 *p, u64 n, u64 k0, u64 k1) {
  u64 v[4] = {k0 ^ 0x736f6d6570736575ul, k1 ^ 0x646f72616e646f6dul, k0 ^ 0x6c7967656e657261ul, k1 ^ 0x7465646279746573ul};
  u64 last = n << 56;
  for (u64 i = 0; i + 8 <= n; i += 8) {
    u64 m = read64(p + i);
    v[3] ^= m;
    round(v), round(v);
    v[0] ^= m;
  }
  for (u64 i = n & ~7ul; i < n; i++) last |= (u64)p[i] << 8 * (i & 7);
  v[3] ^= last;
  round(v), round(v);
  v[0] ^= last;
  v[2] ^= 0xff;
  for (int i = 0; i < 4; i++) round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static u32 crc_bitwise(const u8 *p, u64 n) {
  u32 crc = ~0u;
  for (u64 i = 0; i < n; i++) {
    crc ^= p[i];
    for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (0xEDB88320u & -(crc & 1));
  }
  return ~crc;
}

static u32 crc_table(const u8 *p, u64 n) {
  u32 crc = ~0u;
  for (u32 i = 0; i < 256; i++) {
    u32 c = i;
    for (int k = 0; k < 8; k++) c = c >> 1 ^ (c & 1 ? 0xEDB88320u : 0);
    table[i] = c;
  }
  for (u64 i = 0; i < n; i++) crc = table[(crc ^ p[i]) & 0xff] ^ crc >> 8;
  return ~crc;
}

static const u32 K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static u32 rotate32(u32 v, int n) { return v >> n | v << (32 - n); }

static void sha256_block(u32 h[8], const u8 *p) {
  u32 w[64], s[8];
  for (int i = 0; i < 16; i++) w[i] = (u32)p[4 * i] << 24 | (u32)p[4 * i + 1] << 16 | (u32)p[4 * i + 2] << 8 | p[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    u32 a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + (rotate32(a, 7) ^ rotate32(a, 18) ^ a >> 3) + w[i - 7] + (rotate32(b, 17) ^ rotate32(b, 19) ^ b >> 10);
  }
  memcpy(s, h, sizeof s);
  for (int i = 0; i < 64; i++) {
    u32 t1 = s[7] + (rotate32(s[4], 6) ^ rotate32(s[4], 11) ^ rotate32(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) + K[i] + w[i];
    u32 t2 = (rotate32(s[0], 2) ^ rotate32(s[0], 13) ^ rotate32(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    for (int k = 7; k > 0; k--) s[k] = s[k - 1];
    s[4] += t1;
    s[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) h[i] += s[i];
}

int main(void) {
  u64 seed = 2;
  for (u64 i = 0; i < sizeof text; i++) text[i] = (u8)random64(&seed);
  results[0] = fnv1a(text, sizeof text);
  results[1] = murmur(text, 297, 42);
  results[2] = siphash(text, 295, 0x0706050403020100ul, 0x0f0e0d0c0b0a0908ul);
  results[3] = crc_bitwise(text, 100);
  results[4] = crc_table(text, 100);
  results[5] = crc_table(text, sizeof text);
  static const u32 start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(digest, start, sizeof start);
  for (u64 i = 0; i + 64 <= sizeof text; i += 64) sha256_block(digest, text + i);
  return results[3] != results[4];
}
