/* Bare metal: into S mode at _start, under Sv39 with PAGING; ecall ends with the exit code in a0, by the power switch. */
.globl boot
boot:
  la t0, handler
  csrw mtvec, t0
  li t0, -1
  srli t0, t0, 10
  csrw pmpaddr0, t0
  li t0, 0x1f
  csrw pmpcfg0, t0
#if PAGING
  /* One page of a gigabyte, where everything is. */
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
  la t0, _start
  csrw mepc, t0
  li sp, 0x84000000
  mret

.balign 4
handler:
  li t0, 0x100000
  andi a0, a0, 0xff
  li t1, 0x5555
  beqz a0, 1f
  slli t1, a0, 16
  li a0, 0x3333
  or t1, t1, a0
1:
  sw t1, 0(t0)
2:
  j 2b

.bss
.balign 4096
root:
  .zero 4096
