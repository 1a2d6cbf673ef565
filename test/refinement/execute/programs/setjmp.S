/*
 * setjmp without floating-point registers, for a machine that has none. In a program that GCC links statically with glibc for
 * lp64d this is the one place on the way to main and through printf of integers and strings that uses them:
 * __libc_start_call_main calls _setjmp, which saves fs0 to fs11. Linked beside the program, this takes its place.
 */
.globl _setjmp, __sigsetjmp, setjmp
_setjmp:
__sigsetjmp:
setjmp:
  sd ra, 0(a0)
  sd s0, 8(a0)
  sd s1, 16(a0)
  sd s2, 24(a0)
  sd s3, 32(a0)
  sd s4, 40(a0)
  sd s5, 48(a0)
  sd s6, 56(a0)
  sd s7, 64(a0)
  sd s8, 72(a0)
  sd s9, 80(a0)
  sd s10, 88(a0)
  sd s11, 96(a0)
  sd sp, 104(a0)
  li a0, 0
  ret
