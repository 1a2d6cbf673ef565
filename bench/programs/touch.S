/* ROUNDS times seven instructions, a load and a store among them. */
.globl _start
_start:
  li s0, 0
  li s1, ROUNDS
  la s2, data
1:
  addi s0, s0, 1
  andi t0, s0, 0x3f8
  add t0, t0, s2
  ld t1, 0(t0)
  add t1, t1, s0
  sd t1, 0(t0)
  bne s0, s1, 1b
  li a0, 0
  ecall

.bss
.balign 4096
data:
  .zero 4096
