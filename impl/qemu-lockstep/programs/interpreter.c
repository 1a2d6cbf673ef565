/* A small stack interpreter, dispatched through a jump table: the lengths of Collatz sequences. */
#include "../guest/library.h"

enum op { PUSH, ADD, SUB, MUL, DIV, MOD, DUP, SWAP, OVER, DROP, LOAD, STORE, LESS, JUMP, JUMP_IF, OUT, HALT };

static i64 stack[64], variables[128], output[64];
static u64 outputs;

/* For n = 1, 2, … below `limit`, the number of steps in which n reaches 1. */
static short program[256];

static u64 assemble(short *to, int limit) {
  u64 p = 0, again, inner, odd, join, leave;
#define EMIT(x) (to[p++] = (short)(x))
#define VARIABLE(v) EMIT(PUSH), EMIT(v), EMIT(LOAD)
#define SET(v) EMIT(PUSH), EMIT(v), EMIT(STORE)
  EMIT(PUSH), EMIT(1), SET(0);
  again = p;
  EMIT(PUSH), EMIT(0), SET(1);
  VARIABLE(0), SET(2);
  inner = p;
  VARIABLE(2), EMIT(PUSH), EMIT(2), EMIT(LESS), EMIT(JUMP_IF), leave = p, EMIT(0);
  VARIABLE(2), EMIT(PUSH), EMIT(2), EMIT(MOD), EMIT(JUMP_IF), odd = p, EMIT(0);
  VARIABLE(2), EMIT(PUSH), EMIT(2), EMIT(DIV), SET(2), EMIT(JUMP), join = p, EMIT(0);
  to[odd] = (short)p;
  VARIABLE(2), EMIT(DUP), EMIT(DUP), EMIT(ADD), EMIT(ADD), EMIT(PUSH), EMIT(1), EMIT(ADD), SET(2);
  to[join] = (short)p;
  VARIABLE(1), EMIT(PUSH), EMIT(1), EMIT(ADD), SET(1);
  EMIT(JUMP), EMIT(inner);
  to[leave] = (short)p;
  VARIABLE(1), EMIT(OUT);
  VARIABLE(0), EMIT(PUSH), EMIT(1), EMIT(ADD), EMIT(DUP), SET(0);
  EMIT(PUSH), EMIT(limit), EMIT(LESS), EMIT(JUMP_IF), EMIT(again);
  EMIT(PUSH), EMIT(7), EMIT(PUSH), EMIT(-100), EMIT(SWAP), EMIT(OVER), EMIT(MUL), EMIT(SUB), EMIT(OUT);
  EMIT(HALT);
  return p;
}

static void interpret(const short *code) {
  i64 *sp = stack, t;
  for (u64 pc = 0;;) switch (code[pc++]) {
      case PUSH: *sp++ = code[pc++]; break;
      case ADD: sp--, sp[-1] += *sp; break;
      case SUB: sp--, sp[-1] -= *sp; break;
      case MUL: sp--, sp[-1] *= *sp; break;
      case DIV: sp--, sp[-1] /= *sp; break;
      case MOD: sp--, sp[-1] %= *sp; break;
      case DUP: *sp = sp[-1], sp++; break;
      case SWAP: t = sp[-1], sp[-1] = sp[-2], sp[-2] = t; break;
      case OVER: *sp = sp[-2], sp++; break;
      case DROP: sp--; break;
      case LOAD: sp[-1] = variables[sp[-1]]; break;
      case STORE: sp -= 2, variables[sp[1]] = sp[0]; break;
      case LESS: sp--, sp[-1] = sp[-1] < *sp; break;
      case JUMP: pc = (u64)code[pc]; break;
      case JUMP_IF: sp--, pc = *sp ? (u64)code[pc] : pc + 1; break;
      case OUT: output[outputs++ & 63] = *--sp; break;
      default: return;
    }
}

int main(void) {
  assemble(program, 12);
  interpret(program);
  return output[6] != 16; /* 7 takes sixteen steps */
}
