/**
 * The loop that simulators are measured with: eighteen instructions of RV32IM or RV64IM, arithmetic and shifts, a
 * multiplication, a store, a load and a branch. It runs until register s1 has counted down to zero.
 */
export const LOOP = `
top:
  addi t0, t0, 1
  add  t1, t1, t0
  slli t2, t1, 13
  xor  t1, t1, t2
  srli t2, t1, 7
  xor  t1, t1, t2
  slli t2, t1, 17
  xor  t1, t1, t2
  mul  a1, t1, t0
  sub  a2, a2, a1
  sw   a1, 8(a0)
  lw   a3, 8(a0)
  add  a4, a4, a3
  andi a5, a4, 255
  sltu a6, a7, a5
  add  s2, s2, a6
  addi s1, s1, -1
  bne  s1, zero, top
  ecall`;
export const LOOP_LENGTH = 18;

/** Initial registers: where the data is, and how often to go round. */
export const DATA_REGISTER = 10;
export const COUNT_REGISTER = 9;
