/* Every register-register instruction on corner values, which a compiler would fold away. */
#include "../guest/library.h"

static const u64 corners[] = {0, 1, 2, 31, 32, 63, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000, ~0ul};
enum { N = sizeof corners / sizeof *corners };
static u64 results[40];

#define EACH(f) \
  f(0, add) f(1, sub) f(2, sll) f(3, slt) f(4, sltu) f(5, xor) f(6, srl) f(7, sra) f(8, or) f(9, and) f(10, addw) f(11, subw) \
  f(12, sllw) f(13, srlw) f(14, sraw) f(15, mul) f(16, mulh) f(17, mulhsu) f(18, mulhu) f(19, div) f(20, divu) f(21, rem) \
  f(22, remu) f(23, mulw) f(24, divw) f(25, divuw) f(26, remw) f(27, remuw)

int main(void) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      u64 a = corners[i], b = corners[j], r;
#define RUN(k, op)                                                 \
  __asm__ volatile(#op " %0, %1, %2" : "=r"(r) : "r"(a), "r"(b)); \
  results[k] = results[k] * 31 + r;
      EACH(RUN)
#define IMMEDIATE(k, op)                                      \
  __asm__ volatile(op : "=r"(r) : "r"(a ^ b));              \
  results[k] = results[k] * 31 + r;
      IMMEDIATE(28, "slti %0, %1, -2048")
      IMMEDIATE(29, "sltiu %0, %1, -1")
      IMMEDIATE(30, "xori %0, %1, -1")
      IMMEDIATE(31, "ori %0, %1, 0x555")
      IMMEDIATE(32, "andi %0, %1, -1024")
      IMMEDIATE(33, "srai %0, %1, 63")
      IMMEDIATE(34, "sraiw %0, %1, 31")
      IMMEDIATE(35, "srliw %0, %1, 1")
      IMMEDIATE(36, "addiw %0, %1, 2047")
      IMMEDIATE(37, "auipc %0, 0x80000\n sub %0, %0, %1")
      IMMEDIATE(38, "lui %0, 0x80000\n fence\n xor %0, %0, %1")
    }
  return 0;
}
