/*
 * Page tables. Gigapages (RV32: megapages) at 0x80000000 for S and at 0xC0000000 for U are this program; lower down is what the
 * programs try: pages from 0, a superpage from SUPER and, on RV64, one still larger from GIGA.
 */
#if __riscv_xlen == 64
#define SUPER 0x200000
#define GIGA 0x40000000
#define GIGA_SLOT root + 8
#define SUPER_SLOT level1 + 8
#else
#define SUPER 0x400000
#define SUPER_SLOT root + 4
#endif

.section .data
.balign 4096
root:
#if __riscv_xlen == 64
  PTE 0, 0
  PTE (0x80000000 >> 2) | V | R | W | X | A | D
  PTE (0x80000000 >> 2) | V | R | W | X | U | A | D
  .zero 4096 - 4 * 8
#else
  .zero 0x800
  PTE (0x80000000 >> 2) | V | R | W | X | A | D
  .zero 0x400 - 4
  PTE (0x80000000 >> 2) | V | R | W | X | U | A | D
  .zero 0x400 - 4
#endif
.balign 4096
level1:
  .zero 4096
.balign 4096
level0:
  .zero 4096
.balign 4096
page0:
  .rept 1024
  .word 0x00000073
  .endr
page1:
  .rept 1024
  .word 0x00000073
  .endr
  .zero 1024
stack_top:

/* Puts a pointer to the table \table into the slot. */
.macro point slot, table
  la t0, \table
  srli t0, t0, 12
  slli t0, t0, 10
  ori t0, t0, V
  la t1, \slot
  PTE_S t0, 0(t1)
.endm

/* Turns translation on for S and U. */
.macro page_tables
#if __riscv_xlen == 64
  point root, level1
  point level1, level0
#else
  point root, level0
#endif
  la t0, root
  srli t0, t0, 12
  li t1, SATP_ON
  or t0, t0, t1
  csrw satp, t0
  sfence.vma
.endm

/* A leaf for the page \page with these bits, into the slot */
.macro leaf slot, page, bits
  la t0, \page
  srli t0, t0, 12
  slli t0, t0, 10
  li t1, \bits
  or t0, t0, t1
  la t1, \slot
  PTE_S t0, 0(t1)
  sfence.vma
.endm
