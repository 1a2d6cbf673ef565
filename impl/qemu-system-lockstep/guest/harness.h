/* What every program of the lockstep begins with: handlers, page tables, and ways from mode to mode. Assembled for RV32 and RV64. */
#if __riscv_xlen == 64
#define REG_S sd
#define REG_L ld
#define PTE .dword
#define PTE_S sd
#define PTE_L ld
#define PTE_SIZE 8
#define SATP_ON (8 << 60)
#else
#define REG_S sw
#define REG_L lw
#define PTE .word
#define PTE_S sw
#define PTE_L lw
#define PTE_SIZE 4
#define SATP_ON (1 << 31)
#endif

/* Bits of a page table entry */
#define V 0x01
#define R 0x02
#define W 0x04
#define X 0x08
#define U 0x10
#define G 0x20
#define A 0x40
#define D 0x80

/* Code is where it is in physical memory for M and S, and this much higher for U. */
#define USER_OFFSET 0x40000000

.option nopic
.section .text.init, "ax"
.globl _start
_start:
  la t0, machine_handler
  csrw mtvec, t0
  la t0, supervisor_handler
  csrw stvec, t0
  la sp, stack_top
  j main

/* Tells what happened to whoever watches, and goes on at s11 in machine mode. */
.balign 4
machine_handler:
  csrr t4, mepc
  csrr t5, mcause
  csrr t6, mtval
  csrr t3, mstatus
  csrw mepc, s11
  li t5, 0x1800
  csrs mstatus, t5
  li t5, 0x80
  csrc mstatus, t5
  mret

.balign 4
supervisor_handler:
  csrr t4, sepc
  csrr t5, scause
  csrr t6, stval
  csrr t3, sstatus
  ecall

/* The end: the power switch, set to "reset" so that memory can still be looked at. Whoever watches sees it coming. */
.globl finish
finish:
  csrw mstatus, zero
  li t0, 0x100000
  li t1, 0x7777
.globl last_instruction
last_instruction:
  sw t1, 0(t0)
1:
  j 1b

/* Everything allowed to S and U by physical memory protection */
.macro open_pmp
  li t0, -1
#if __riscv_xlen == 64
  srli t0, t0, 10
  csrw pmpaddr15, t0
  li t0, 0x1f << 56
  csrw pmpcfg2, t0
#else
  csrw pmpaddr15, t0
  li t0, 0x1f << 24
  csrw pmpcfg3, t0
#endif
.endm

/* Runs the code at \label in mode \mode (0 U, 1 S, 3 M) until it traps to machine mode; `up` is added to the address. */
.macro run_in mode, label, up=0
  la s11, 9f
  la t0, \label
  li t1, \up
  add t0, t0, t1
  csrw mepc, t0
  li t0, 0x1800
  csrc mstatus, t0
  li t0, (\mode) << 11
  csrs mstatus, t0
  mret
9:
.endm

/* An instruction in machine mode that may trap */
.macro attempt text:vararg
  la s11, 9f
  \text
9:
.endm
