/* Bare metal: ROUNDS times seven instructions, a load and a store among them, in S mode; with PAGING under Sv39. */
.globl _start
_start:
  la t0, handler
  csrw mtvec, t0
  li t0, -1
  srli t0, t0, 10
  csrw pmpaddr0, t0
  li t0, 0x1f
  csrw pmpcfg0, t0
#if PAGING
  la t0, root
  li t1, (0x80000000 >> 2) | 0xcf
  sd t1, 16(t0)
  srli t0, t0, 12
  li t1, 8 << 60
  or t0, t0, t1
  csrw satp, t0
#endif
  li t0, 0x800
  csrw mstatus, t0
  la t0, supervisor
  csrw mepc, t0
  mret
supervisor:
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
  ecall
.balign 4
handler:
  li t0, 0x100000
  li t1, 0x5555
  sw t1, 0(t0)
1:
  j 1b

.data
.balign 4096
root:
  .zero 4096
data:
  .zero 4096
