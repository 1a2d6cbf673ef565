/*
 * Translates RV64I to x86-64. It reads one request a line and answers each with one line: see docs/formats.md.
 *
 * The code that it makes is a function of one argument, the context in rdi: register x[i] at rdi + 8 i, the pc at rdi + 256.
 * Guest addresses are host addresses. rax and rcx are for the work within an instruction.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CODE = 1 << 16, MOST_GUEST = 1 << 10, PC = 256 };
static const uint64_t HOST = 0x7f0000000000; /* where the code will lie */

typedef struct { uint64_t host, guest; const char *trap; } Place;

static struct {
  uint64_t pc;      /* of the block */
  uint64_t current; /* of the instruction at hand */
  uint8_t bytes[MOST_CODE];
  size_t size;
  Place points[MOST_GUEST], faults[MOST_GUEST], exits[2 * MOST_GUEST];
  size_t npoints, nfaults, nexits;
} b;

static void emit(const char *bytes, size_t n) {
  if (b.size + n > MOST_CODE) exit(1);
  memcpy(b.bytes + b.size, bytes, n);
  b.size += n;
}
#define EMIT(text) emit(text, sizeof(text) - 1)

static void emit_number(uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++, value >>= 8) emit((const char[]){(char)value}, 1);
}

static uint64_t here(void) { return HOST + b.size; }

/* ---- guest registers */

static void load_rax(unsigned reg) {
  if (reg == 0) { EMIT("\x31\xc0"); return; } /* xor eax, eax */
  EMIT("\x48\x8b\x87");                       /* mov rax, [rdi + 8 reg] */
  emit_number(8 * reg, 4);
}

static void load_rcx(unsigned reg) {
  if (reg == 0) { EMIT("\x31\xc9"); return; }
  EMIT("\x48\x8b\x8f");
  emit_number(8 * reg, 4);
}

static void store_rax(unsigned reg) {
  if (reg == 0) return;
  EMIT("\x48\x89\x87");
  emit_number(8 * reg, 4);
}

static void store_rcx(unsigned reg) {
  if (reg == 0) return;
  EMIT("\x48\x89\x8f");
  emit_number(8 * reg, 4);
}

static void rcx_immediate(int32_t value) {
  EMIT("\x48\xc7\xc1"); /* mov rcx, imm32 */
  emit_number((uint32_t)value, 4);
}

/* ---- memory: an access at [rax + offset] that may fault */

static void may_fault(void) {
  b.faults[b.nfaults++] = (Place){here(), b.pc, NULL};
}

/* ---- ways out */

static void leave(void) {
  EMIT("\x48\x89\x87"); /* mov [rdi + PC], rax */
  emit_number(PC, 4);
  b.exits[b.nexits++] = (Place){here(), 0, NULL};
  EMIT("\xc3"); /* ret */
}

static void rax_address(uint64_t guest) {
  EMIT("\x48\xb8"); /* mov rax, guest */
  emit_number(guest, 8);
}

static void leave_to(uint64_t guest) {
  rax_address(guest);
  leave();
}

static void trap(uint64_t guest, const char *name) {
  rax_address(guest);
  EMIT("\x48\x89\x87");
  emit_number(PC, 4);
  b.exits[b.nexits++] = (Place){here(), guest, name};
  EMIT("\xc3");
}

/* To a branch's or jump's target, which must be a multiple of 4. */
static void jump(uint64_t guest, uint64_t target) {
  if (target % 4 == 0) leave_to(target);
  else trap(guest, "instruction_address_misaligned");
}

/* A forward jump (0f cc rel32); `patch` gives it its target. */
static size_t forward(uint8_t opcode) {
  EMIT("\x0f");
  emit_number(opcode, 1);
  emit_number(0, 4);
  return b.size;
}

static void patch(size_t from) {
  uint32_t distance = (uint32_t)(b.size - from);
  for (int i = 0; i < 4; i++) b.bytes[from - 4 + i] = (uint8_t)(distance >> (8 * i));
}

/* ---- instructions */

static uint32_t bits(uint32_t word, int hi, int lo) { return word >> lo & ((1u << (hi - lo + 1)) - 1); }
static int32_t sign(uint32_t value, int width) { return (int32_t)(value << (32 - width)) >> (32 - width); }

static bool wide(unsigned funct3, bool other) {
  switch (funct3) {
  case 0: if (other) EMIT("\x48\x29\xc8"); else EMIT("\x48\x01\xc8"); break; /* sub, add rax, rcx */
  case 1: EMIT("\x48\xd3\xe0"); break;                                       /* shl rax, cl */
  case 2: EMIT("\x48\x39\xc8\x0f\x9c\xc0\x0f\xb6\xc0"); break;               /* cmp; setl al; movzx eax, al */
  case 3: EMIT("\x48\x39\xc8\x0f\x92\xc0\x0f\xb6\xc0"); break;               /* cmp; setb al; movzx eax, al */
  case 4: EMIT("\x48\x31\xc8"); break;                                       /* xor */
  case 5: if (other) EMIT("\x48\xd3\xf8"); else EMIT("\x48\xd3\xe8"); break; /* sar, shr rax, cl */
  case 6: EMIT("\x48\x09\xc8"); break;                                       /* or */
  case 7: EMIT("\x48\x21\xc8"); break;                                       /* and */
  }
  return true;
}

static bool narrow(unsigned funct3, bool other) {
  switch (funct3) {
  case 0: if (other) EMIT("\x29\xc8"); else EMIT("\x01\xc8"); break; /* sub, add eax, ecx */
  case 1: EMIT("\xd3\xe0"); break;                                   /* shl eax, cl */
  case 5:
    if (!other) { EMIT("\xd3\xe8"); return true; } /* shr eax, cl: the upper half is zero */
    EMIT("\xd3\xf8");                              /* sar eax, cl */
    break;
  default: return false;
  }
  EMIT("\x48\x63\xc0"); /* movsxd rax, eax */
  return true;
}

/* One instruction: 0 goes on, 1 ends the block, -1 cannot be translated. */
static int instruction(uint32_t word, uint64_t pc) {
  unsigned rd = bits(word, 11, 7), funct3 = bits(word, 14, 12), rs1 = bits(word, 19, 15), rs2 = bits(word, 24, 20);
  unsigned funct7 = bits(word, 31, 25);
  int32_t immediate = sign(bits(word, 31, 20), 12);
  switch (bits(word, 6, 0)) {
  case 0x37: /* lui */
  case 0x17: /* auipc */
    rax_address((uint64_t)(int64_t)(int32_t)(word & 0xfffff000) + (bits(word, 6, 0) == 0x17 ? pc : 0));
    store_rax(rd);
    return 0;
  case 0x13: {
    bool other = bits(word, 31, 26) == 16;
    if (funct3 == 1 && bits(word, 31, 26) != 0) return -1;
    if (funct3 == 5 && bits(word, 31, 26) != 0 && !other) return -1;
    bool shift = funct3 == 1 || funct3 == 5;
    load_rax(rs1);
    rcx_immediate(shift ? (int32_t)bits(word, 25, 20) : immediate);
    wide(funct3, funct3 == 5 && other);
    store_rax(rd);
    return 0;
  }
  case 0x33:
    if (funct7 != 0 && !(funct7 == 32 && (funct3 == 0 || funct3 == 5))) return -1;
    load_rax(rs1);
    load_rcx(rs2);
    wide(funct3, funct7 == 32);
    store_rax(rd);
    return 0;
  case 0x1b:
    if (funct3 != 0 && funct7 != 0 && !(funct7 == 32 && funct3 == 5)) return -1;
    load_rax(rs1);
    rcx_immediate(funct3 == 0 ? immediate : (int32_t)rs2);
    if (!narrow(funct3, funct3 == 5 && funct7 == 32)) return -1;
    store_rax(rd);
    return 0;
  case 0x3b:
    if (funct7 != 0 && !(funct7 == 32 && (funct3 == 0 || funct3 == 5))) return -1;
    load_rax(rs1);
    load_rcx(rs2);
    if (!narrow(funct3, funct7 == 32)) return -1;
    store_rax(rd);
    return 0;
  case 0x03:
    load_rax(rs1);
    may_fault();
    switch (funct3) {
    case 0: EMIT("\x48\x0f\xbe\x80"); break;
    case 1: EMIT("\x48\x0f\xbf\x80"); break;
    case 2: EMIT("\x48\x63\x80"); break;
    case 3: EMIT("\x48\x8b\x80"); break;
    case 4: EMIT("\x0f\xb6\x80"); break;
    case 5: EMIT("\x0f\xb7\x80"); break;
    case 6: EMIT("\x8b\x80"); break;
    default: return -1;
    }
    emit_number((uint32_t)immediate, 4);
    store_rax(rd);
    return 0;
  case 0x23:
    load_rax(rs1);
    load_rcx(rs2);
    may_fault();
    switch (funct3) {
    case 0: EMIT("\x88\x88"); break;
    case 1: EMIT("\x66\x89\x88"); break;
    case 2: EMIT("\x89\x88"); break;
    case 3: EMIT("\x48\x89\x88"); break;
    default: return -1;
    }
    emit_number((uint32_t)sign(funct7 << 5 | rd, 12), 4);
    return 0;
  case 0x63: {
    static const uint8_t jcc[8] = {0x84, 0x85, 0, 0, 0x8c, 0x8d, 0x82, 0x83};
    if (jcc[funct3] == 0) return -1;
    uint32_t offset = bits(word, 31, 31) << 12 | bits(word, 7, 7) << 11 | bits(word, 30, 25) << 5 | bits(word, 11, 8) << 1;
    load_rax(rs1);
    load_rcx(rs2);
    EMIT("\x48\x39\xc8"); /* cmp rax, rcx */
    size_t taken = forward(jcc[funct3]);
    leave_to(pc + 4);
    patch(taken);
    jump(pc, pc + (uint64_t)(int64_t)sign(offset, 13));
    return 1;
  }
  case 0x6f: {
    uint32_t offset = bits(word, 31, 31) << 20 | bits(word, 19, 12) << 12 | bits(word, 20, 20) << 11 | bits(word, 30, 21) << 1;
    uint64_t target = pc + (uint64_t)(int64_t)sign(offset, 21);
    if (target % 4 == 0) {
      EMIT("\x48\xb9"); /* mov rcx, pc + 4 */
      emit_number(pc + 4, 8);
      store_rcx(rd);
    }
    jump(pc, target);
    return 1;
  }
  case 0x67: {
    if (funct3 != 0) return -1;
    load_rax(rs1);
    EMIT("\x48\x05"); /* add rax, imm32 */
    emit_number((uint32_t)immediate, 4);
    EMIT("\x48\x83\xe0\xfe"); /* and rax, -2 */
    EMIT("\xa8\x02");         /* test al, 2 */
    size_t misaligned = forward(0x85);
    EMIT("\x48\xb9"); /* mov rcx, pc + 4 */
    emit_number(pc + 4, 8);
    store_rcx(rd);
    leave();
    patch(misaligned);
    trap(pc, "instruction_address_misaligned");
    return 1;
  }
  case 0x0f: /* fence: the host's order is stronger */
    return funct3 == 0 ? 0 : -1;
  case 0x73:
    if (word != 0x73 && word != 0x100073) return -1;
    trap(pc, word == 0x73 ? "environment_call" : "breakpoint");
    return 1;
  default: return -1;
  }
}

static void list(const char *name, const Place *places, size_t n, bool exits) {
  printf(", \"%s\": [", name);
  for (size_t i = 0; i < n; i++) {
    printf("%s{\"host\": \"0x%" PRIx64 "\"", i == 0 ? "" : ", ", places[i].host);
    if (!exits || places[i].trap != NULL) printf(", \"guest\": \"0x%" PRIx64 "\"", places[i].guest);
    if (places[i].trap != NULL) printf(", \"trap\": \"%s\"", places[i].trap);
    printf("}");
  }
  printf("]");
}

static void answer(long id, uint64_t pc, const char *code) {
  memset(&b, 0, sizeof b);
  b.pc = pc;
  uint64_t at = pc;
  int end = 0;
  for (; end == 0 && strlen(code) >= 8 && b.npoints < MOST_GUEST; code += 8, at += 4) {
    uint32_t word = 0;
    for (int i = 3; i >= 0; i--) {
      unsigned byte;
      if (sscanf(code + 2 * i, "%2x", &byte) != 1) break;
      word = word << 8 | byte;
    }
    b.current = at;
    b.points[b.npoints++] = (Place){here(), at, NULL};
    end = instruction(word, at);
    if (end < 0) {
      printf("{\"id\": %ld, \"unsupported\": \"the word 0x%" PRIx32 "\"}\n", id, word);
      return;
    }
  }
  if (end == 0) leave_to(at);
  printf("{\"id\": %ld, \"host\": {\"address\": \"0x%" PRIx64 "\", \"code\": \"", id, HOST);
  for (size_t i = 0; i < b.size; i++) printf("%02x", b.bytes[i]);
  printf("\"}, \"entry\": \"0x%" PRIx64 "\"", HOST);
  list("points", b.points, b.npoints, false);
  list("faults", b.faults, b.nfaults, false);
  list("exits", b.exits, b.nexits, true);
  printf("}\n");
}

int main(void) {
  static char line[1 << 16], code[1 << 16];
  while (fgets(line, sizeof line, stdin) != NULL) {
    long id;
    uint64_t pc;
    /* The requests are always written in this form. */
    if (sscanf(line, "{\"id\":%ld,\"translate\":{\"pc\":\"%" SCNx64 "\",\"code\":\"%65535[0-9a-f]\"}}", &id, &pc, code) != 3)
      return 1;
    answer(id, pc, code);
    fflush(stdout);
  }
  return 0;
}
