/* What a freestanding guest needs of RISC-V Linux: fixed-width types and system calls. */
#ifndef SYSTEM_H
#define SYSTEM_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef int i32;
typedef long i64;

enum {
  SYS_READ = 63,
  SYS_WRITE = 64,
  SYS_EXIT_GROUP = 94,
  SYS_SETITIMER = 103,
  SYS_SIGALTSTACK = 132,
  SYS_RT_SIGACTION = 134,
  SYS_MMAP = 222,
  SYS_MPROTECT = 226,
};

static inline i64 syscall6(i64 number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
  register u64 a0 __asm__("a0") = a;
  register u64 a1 __asm__("a1") = b;
  register u64 a2 __asm__("a2") = c;
  register u64 a3 __asm__("a3") = d;
  register u64 a4 __asm__("a4") = e;
  register u64 a5 __asm__("a5") = f;
  register i64 a7 __asm__("a7") = number;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7) : "memory");
  return (i64)a0;
}

static inline i64 syscall3(i64 number, u64 a, u64 b, u64 c) { return syscall6(number, a, b, c, 0, 0, 0); }

#endif
