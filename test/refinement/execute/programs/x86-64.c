/*
 * A freestanding program for Linux on x86-64, which GCC's integer instructions are enough for: it sorts, hashes, multiplies and
 * divides, asks for memory, reads its input and its arguments. It runs the same on the processor and on the simulator.
 */
typedef unsigned long u64;
typedef long i64;

enum { SYS_READ, SYS_WRITE, SYS_BRK = 12, SYS_EXIT = 60 };

static i64 system_call(u64 number, u64 a, u64 b, u64 c) {
  i64 result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}

static void put(const char *text) {
  u64 length = 0;
  while (text[length]) length++;
  system_call(SYS_WRITE, 1, (u64)text, length);
}

static void put_number(u64 value) {
  char text[24];
  int at = 23;
  text[at] = 0;
  do {
    text[--at] = (char)('0' + value % 10);
    value /= 10;
  } while (value);
  put(text + at);
  put("\n");
}

static void sort(u64 *values, int count) {
  for (int i = 1; i < count; i++) {
    u64 value = values[i];
    int at = i;
    for (; at > 0 && values[at - 1] > value; at--) values[at] = values[at - 1];
    values[at] = value;
  }
}

static u64 hash(const unsigned char *bytes, u64 count) {
  u64 h = 0xcbf29ce484222325;
  for (u64 i = 0; i < count; i++) h = (h ^ bytes[i]) * 0x100000001b3;
  return h;
}

__attribute__((used)) void begin(u64 *stack) {
  int argc = (int)stack[0];
  char **argv = (char **)(stack + 1);
  for (int i = 1; i < argc; i++) {
    put(argv[i]);
    put("\n");
  }
  u64 heap = (u64)system_call(SYS_BRK, 0, 0, 0);
  system_call(SYS_BRK, heap + 65536, 0, 0);
  u64 *values = (u64 *)heap, x = 88172645463325252;
  for (int i = 0; i < 500; i++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    values[i] = x;
  }
  sort(values, 500);
  put_number(hash((unsigned char *)values, 4000));
  put_number((u64)__builtin_popcountl(x));
  put_number((u64)((unsigned __int128)x * x >> 64));
  put_number((u64)((i64)x / -12345));
  put_number((u64)__builtin_bswap64(x));
  char input[32];
  i64 read = system_call(SYS_READ, 0, (u64)input, sizeof input);
  put_number(read < 0 ? 0 : hash((unsigned char *)input, (u64)read));
  system_call(SYS_EXIT, (u64)argc, 0, 0);
}

__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call begin");
