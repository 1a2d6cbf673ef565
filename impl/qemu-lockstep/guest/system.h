/* What a freestanding guest needs of RISC-V Linux, of 32 or 64 bits: fixed-width types and system calls. */
#ifndef SYSTEM_H
#define SYSTEM_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef long long i64;
/* As wide as a register. */
typedef unsigned long ux;
typedef long ix;

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

static inline ix syscall6(ix number, ux a, ux b, ux c, ux d, ux e, ux f) {
  register ux a0 __asm__("a0") = a;
  register ux a1 __asm__("a1") = b;
  register ux a2 __asm__("a2") = c;
  register ux a3 __asm__("a3") = d;
  register ux a4 __asm__("a4") = e;
  register ux a5 __asm__("a5") = f;
  register ix a7 __asm__("a7") = number;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7) : "memory");
  return (ix)a0;
}

static inline ix syscall3(ix number, ux a, ux b, ux c) { return syscall6(number, a, b, c, 0, 0, 0); }

#endif
