/* A freestanding program's way to the operating system: riscv64-linux-gnu-gcc -O2 -march=rv64im -mabi=lp64 -nostdlib -static */
static long system_call(long number, long a, long b, long c) {
  register long a0 __asm__("a0") = a;
  register long a1 __asm__("a1") = b;
  register long a2 __asm__("a2") = c;
  register long a7 __asm__("a7") = number;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}

static void leave(unsigned long code) {
  system_call(93, (long)(code & 127), 0, 0);
  for (;;) {
  }
}
