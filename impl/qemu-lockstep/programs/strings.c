/* String code: lengths, comparisons, searching, splitting into words, counting, UTF-8, Base64, overlapping and misaligned copies. */
#include "../guest/library.h"

static char text[800], copy[800], encoded[1100];
static u16 counts[256];
static u64 results[16];
static const char *const words[] = {"fetch", "decode", "execute", "trap", "commute", "abstraction", "\xc3\xa9tat", "\xe2\x86\x92"};

static u64 length(const char *s) {
  const char *p = s;
  while (*p) p++;
  return (u64)(p - s);
}

static int compare(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return (u8)*a - (u8)*b;
}

static const char *find(const char *text, const char *word) {
  for (; *text; text++) {
    const char *a = text, *b = word;
    while (*b && *a == *b) a++, b++;
    if (!*b) return text;
  }
  return 0;
}

static u64 code_points(const char *s) {
  u64 sum = 0;
  while (*s) {
    u8 c = (u8)*s++;
    u32 value = c;
    int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    if (more) value = c & (0x3fu >> more);
    while (more-- > 0) value = value << 6 | ((u8)*s++ & 0x3f);
    sum = sum * 31 + value;
  }
  return sum;
}

static u64 base64(const u8 *from, u64 n, char *to) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  u64 out = 0;
  for (u64 i = 0; i + 3 <= n; i += 3) {
    u32 v = (u32)from[i] << 16 | (u32)from[i + 1] << 8 | from[i + 2];
    for (int k = 18; k >= 0; k -= 6) to[out++] = alphabet[v >> k & 63];
  }
  return out;
}

/* Eight bytes at a time, whatever the alignment: the compiler does not emit such accesses by itself. */
static void move(char *to, const char *from, u64 n) {
  u64 v;
  for (; n >= 8; n -= 8, to += 8, from += 8) {
    __asm__ volatile("ld %0, 0(%1)" : "=r"(v) : "r"(from) : "memory");
    __asm__ volatile("sd %0, 0(%1)" : : "r"(v), "r"(to) : "memory");
  }
  if (n >= 4) {
    __asm__ volatile("lwu %0, 0(%1)" : "=r"(v) : "r"(from) : "memory");
    __asm__ volatile("sw %0, 0(%1)" : : "r"(v), "r"(to) : "memory");
    n -= 4, to += 4, from += 4;
  }
  if (n >= 2) {
    __asm__ volatile("lh %0, 0(%1)" : "=r"(v) : "r"(from) : "memory");
    __asm__ volatile("sh %0, 0(%1)" : : "r"(v), "r"(to) : "memory");
    n -= 2, to += 2, from += 2;
  }
  if (n) *to = *from;
}

int main(void) {
  u64 seed = 4, n = 0;
  while (n < 700) {
    const char *word = words[random64(&seed) & 7];
    while (*word) text[n++] = *word++;
    text[n++] = " ,.\n"[random64(&seed) & 3];
  }
  results[0] = length(text);
  for (int i = 0; i < 8; i++) {
    const char *at = find(text, words[i]);
    results[1] = results[1] * 33 + (at ? (u64)(at - text) : ~0ul);
    results[2] = results[2] * 3 + (u64)(i64)compare(words[i], words[(i + 3) & 7]);
  }
  results[3] = code_points(text);
  for (u64 i = 0; text[i]; i++) counts[(u8)text[i]]++;
  for (u64 i = 0; text[i]; i++) copy[i] = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 32) : text[i];
  results[4] = base64((const u8 *)copy, 300, encoded);
  for (u64 i = 1; i < 24; i++) move(copy + 31 * i, text + 29 * i, i + 7);
  move(copy + 3, copy + 1, 200);
  results[5] = (u64)compare(text, copy);
  return results[0] != n;
}
