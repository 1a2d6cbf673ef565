/*
 * Runs single x86-64 instructions from exactly given states, on the processor that this program runs on. Everything happens in one
 * signal handler: the state of a case is put into the frame that the handler returns to, one instruction runs (the trap flag is set,
 * or breakpoints stand behind it), and the exception that ends it enters the handler again with the state after it.
 *
 * stdin:  a `struct layout`, then batches: a `struct batch` and its `count` times `struct input`.
 * stdout: after each batch, `count` times `struct output`. (case-runner.ts writes and reads the same.)
 *
 * Freestanding (and without a red zone, since the handler uses the stack): between two cases the fs and gs bases, the direction flag and the stack are the case's.
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long i64;

#include "../../shared/windows.h"

enum { SYS_READ = 0, SYS_WRITE = 1, SYS_MMAP = 9, SYS_MPROTECT = 10, SYS_RT_SIGACTION = 13, SYS_SIGALTSTACK = 131 };
enum { SYS_SETITIMER = 38, SYS_ARCH_PRCTL = 158, SYS_EXIT_GROUP = 231 };
enum { ARCH_SET_GS = 0x1001, ARCH_SET_FS = 0x1002, ARCH_GET_FS = 0x1003, ARCH_GET_GS = 0x1004 };
enum { SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGFPE = 8, SIGSEGV = 11, SIGVTALRM = 26, SIGSYS = 31 };
enum { MAX_PATCHES = 4, MAX_CHANGES = 72, MAX_BATCH = 512, SHADOW = 1 << 18 };
enum { TRAP_FLAG = 0x100, BREAKPOINT = 3 };
/* What a case can set: CF PF AF ZF SF DF OF; the trap flag is ours. */
#define SETTABLE 0xcd5ul
/* NT and ID, which sigreturn does not put into place: it leaves them as they are when it is called. */
#define INHERITED 0x204000ul

struct patch {
  u64 address, length; /* length 0 to 16 bytes */
  u8 bytes[16];
};
struct batch {
  u64 count;
};
struct input {
  u64 rip, gpr[16], flags, fs, gs;
  u64 length, breakpoints; /* of the instruction, 0 for none; breakpoints: let it run to what stands behind it, with the trap flag clear */
  u8 code[16];
  struct patch patches[MAX_PATCHES];
};
struct change {
  u64 address, value; /* an aligned double word that differs from what it was before the instruction */
};
struct output {
  u64 rip, gpr[16], flags, fs, gs;
  u64 signal, exception, error, address; /* exception: its vector; address: cr2 */
  u64 changed; /* how many double words; only the first are listed */
  struct change changes[MAX_CHANGES];
};

/* struct ucontext and what it holds, as the kernel lays them out (arch/x86/include/uapi/asm/sigcontext.h) */
struct context {
  u64 uc_flags, link, stack[3];
  u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, flags;
  unsigned short cs, gs, fs, ss;
  u64 error, exception, mask, cr2;
};
struct action {
  void (*handler)(int, void *, struct context *);
  u64 flags;
  void (*restorer)(void);
  u64 mask;
};

static struct layout layout;
static struct batch batch;
static struct input inputs[MAX_BATCH];
static struct output outputs[MAX_BATCH];
static u64 position = ~0ul;               /* of the case that runs */
static u64 ticks;                         /* timer ticks since the case began */
static u64 fs_base, gs_base;              /* as they are */
static u8 shadow[SHADOW] __attribute__((aligned(64))); /* what the windows that can be written hold before a case */
static u8 alternate_stack[1 << 17] __attribute__((aligned(64)));

static i64 system_call(u64 number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
  register u64 r10 __asm__("r10") = d;
  register u64 r8 __asm__("r8") = e;
  register u64 r9 __asm__("r9") = f;
  i64 result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

static void leave(int status) {
  for (;;) system_call(SYS_EXIT_GROUP, (u64)status, 0, 0, 0, 0, 0);
}

/* Reads exactly `size` bytes; leaves at the end of the input. */
static void read_all(void *to, u64 size) {
  for (u64 done = 0; done < size;) {
    i64 n = system_call(SYS_READ, 0, (u64)to + done, size - done, 0, 0, 0);
    if (n <= 0) leave(n < 0 || done > 0);
    done += (u64)n;
  }
}

static void write_all(const void *from, u64 size) {
  for (u64 done = 0; done < size;) {
    i64 n = system_call(SYS_WRITE, 1, (u64)from + done, size - done, 0, 0, 0);
    if (n <= 0) leave(1);
    done += (u64)n;
  }
}

/* What the aligned double word at `address` holds before patches: code windows hold breakpoints, others a pattern. */
static u64 background(const struct window *w, u64 address) {
  if (w->protection & PROT_EXEC) return 0xccccccccccccccccul;
  return (address >> 3) * 0x9E3779B97F4A7C15ul ^ 0x5851F42D4C957F2Dul;
}

static void map_windows(void) {
  const u64 private_anonymous_noreserve_noreplace = 0x2 | 0x20 | 0x4000 | 0x100000;
  for (u64 i = 0; i < layout.count; i++) {
    struct window *w = &layout.windows[i];
    u64 start = w->start - w->guard, size = w->end + w->guard - start, length = w->end - w->start;
    if ((u64)system_call(SYS_MMAP, start, size, 0, private_anonymous_noreserve_noreplace, ~0ul, 0) != start) leave(2);
    if (system_call(SYS_MPROTECT, w->start, length, PROT_READ | PROT_WRITE, 0, 0, 0) != 0) leave(3);
    for (u64 a = w->start; a < w->end; a += 8) *(u64 *)a = background(w, a);
    if (system_call(SYS_MPROTECT, w->start, length, w->protection, 0, 0, 0) != 0) leave(3);
  }
}

static struct window *window_of(u64 address) {
  for (u64 i = 0; i < layout.count; i++)
    if (address - layout.windows[i].start < layout.windows[i].end - layout.windows[i].start) return &layout.windows[i];
  return 0;
}

/* Where the shadow of a window that can be written begins. */
static u64 shadow_at(const struct window *w) {
  u64 at = 0;
  for (const struct window *v = layout.windows; v < w; v++)
    if (v->protection & PROT_WRITE) at += v->end - v->start;
  return at;
}

static void make_shadow(void) {
  for (u64 i = 0; i < layout.count; i++) {
    const struct window *w = &layout.windows[i];
    if (!(w->protection & PROT_WRITE)) continue;
    u64 *to = (u64 *)(shadow + shadow_at(w));
    if (shadow_at(w) + w->end - w->start > SHADOW) leave(4);
    for (u64 a = w->start; a < w->end; a += 8) *to++ = *(u64 *)a;
  }
}

/* Into memory and its shadow. */
static void put(u64 address, const u8 *bytes, u64 length) {
  for (u64 i = 0; i < length; i++) {
    struct window *w = window_of(address + i);
    if (!w || !(w->protection & PROT_WRITE)) continue;
    *(volatile u8 *)(address + i) = bytes[i];
    shadow[shadow_at(w) + address + i - w->start] = bytes[i];
  }
}

static void unput(u64 address, u64 length) {
  for (u64 i = 0; i < length; i++) {
    struct window *w = window_of(address + i);
    if (!w) continue;
    u8 byte = (u8)(background(w, (address + i) & ~7ul) >> 8 * ((address + i) & 7));
    put(address + i, &byte, 1);
  }
}

typedef u64 vector __attribute__((vector_size(16)));

/* Of 64 bytes. */
static int equal(const vector *a, const vector *b) {
  vector differs = (a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]);
  return (differs[0] | differs[1]) == 0;
}

static void find_changes(struct output *out) {
  for (u64 i = 0; i < layout.count; i++) {
    const struct window *w = &layout.windows[i];
    if (!(w->protection & PROT_WRITE)) continue;
    const u64 *then = (const u64 *)(shadow + shadow_at(w));
    volatile u64 *now = (volatile u64 *)w->start;
    u64 count = (w->end - w->start) / 8;
    for (u64 k = 0; k < count; k += 8) {
      if (equal((const vector *)w->start + k / 2, (const vector *)(then + k))) continue;
      for (u64 j = k; j < k + 8; j++) {
        if (now[j] == then[j]) continue;
        if (out->changed < MAX_CHANGES) {
          out->changes[out->changed].address = w->start + 8 * j;
          out->changes[out->changed].value = now[j];
        }
        out->changed++;
        now[j] = then[j];
      }
    }
  }
}

static void set_bases(u64 fs, u64 gs) {
  if (fs != fs_base && system_call(SYS_ARCH_PRCTL, ARCH_SET_FS, fs, 0, 0, 0, 0) == 0) fs_base = fs;
  if (gs != gs_base && system_call(SYS_ARCH_PRCTL, ARCH_SET_GS, gs, 0, 0, 0, 0) == 0) gs_base = gs;
}

static void next_batch(void) {
  if (batch.count > 0) write_all(outputs, batch.count * sizeof(struct output));
  read_all(&batch, sizeof batch);
  if (batch.count == 0 || batch.count > MAX_BATCH) leave(4);
  read_all(inputs, batch.count * sizeof(struct input));
  position = 0;
}

/* The order of registers in instructions. */
#define REGISTERS(X) X(0, rax) X(1, rcx) X(2, rdx) X(3, rbx) X(4, rsp) X(5, rbp) X(6, rsi) X(7, rdi) \
  X(8, r8) X(9, r9) X(10, r10) X(11, r11) X(12, r12) X(13, r13) X(14, r14) X(15, r15)

static void start(struct context *context) {
  const struct input *in = &inputs[position];
  for (u64 p = 0; p < MAX_PATCHES; p++) put(in->patches[p].address, in->patches[p].bytes, in->patches[p].length);
  put(in->rip, in->code, in->length);
  context->rip = in->rip;
#define LOAD(i, name) context->name = in->gpr[i];
  REGISTERS(LOAD)
  context->flags = (in->flags & SETTABLE) | 2 | (in->breakpoints ? 0 : TRAP_FLAG);
  set_bases(in->fs, in->gs);
  ticks = 0;
}

static void finish(int signal, struct context *context) {
  const struct input *in = &inputs[position];
  struct output *out = &outputs[position];
  out->rip = context->rip - (signal == SIGTRAP && context->exception == BREAKPOINT && in->breakpoints && context->rip != in->rip + 1);
#define STORE(i, name) out->gpr[i] = context->name;
  REGISTERS(STORE)
  out->flags = context->flags;
  system_call(SYS_ARCH_PRCTL, ARCH_GET_FS, (u64)&fs_base, 0, 0, 0, 0);
  system_call(SYS_ARCH_PRCTL, ARCH_GET_GS, (u64)&gs_base, 0, 0, 0, 0);
  out->fs = fs_base;
  out->gs = gs_base;
  out->signal = (u64)signal;
  out->exception = context->exception;
  out->error = context->error;
  out->address = context->cr2;
  out->changed = 0;
  find_changes(out);
  unput(in->rip, in->length);
  for (u64 p = 0; p < MAX_PATCHES; p++) unput(in->patches[p].address, in->patches[p].length);
}

static void inherit(u64 flags) { __asm__ volatile("pushq %0\n popfq" ::"r"(0x202 | (flags & INHERITED)) : "cc", "memory"); }

static void handle(int signal, void *info, struct context *context) {
  /* popf can set what sigreturn does not put back: the alignment check, the nested task, the identification flag. */
  __asm__ volatile("pushq $0x202\n popfq" ::: "cc", "memory");
  (void)info;
  if (signal == SIGVTALRM && (position == ~0ul || ++ticks < 3)) return inherit(context->flags);
  if (position != ~0ul) {
    finish(signal, context);
    position++;
  }
  if (position == ~0ul || position >= batch.count) next_batch();
  start(context);
  inherit(inputs[position].flags);
}

void restore(void);
__asm__("restore: mov $15, %eax\n syscall");

__attribute__((used)) void runner(void) {
  static const int signals[] = {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGVTALRM, SIGSYS};
  const u64 siginfo_restorer_onstack = 4 | 0x04000000 | 0x08000000;
  struct action action = {handle, siginfo_restorer_onstack, restore, ~0ul};
  u64 stack[3] = {(u64)alternate_stack, 0, sizeof alternate_stack};
  u64 timer[4] = {0, 20000, 0, 20000}; /* 20 ms of processor time: an instruction that repeats itself would never end */
  read_all(&layout, sizeof layout);
  if (layout.count > MAX_WINDOWS) leave(4);
  map_windows();
  make_shadow();
  system_call(SYS_SIGALTSTACK, (u64)stack, 0, 0, 0, 0, 0);
  for (u64 i = 0; i < sizeof signals / sizeof *signals; i++)
    if (system_call(SYS_RT_SIGACTION, (u64)signals[i], (u64)&action, 0, 8, 0, 0) != 0) leave(5);
  if (system_call(SYS_SETITIMER, 1, (u64)timer, 0, 0, 0, 0) != 0) leave(6);
  __asm__ volatile("int3");
  leave(7);
}

static u8 first_stack[1 << 16] __attribute__((aligned(64), used));
__asm__(".globl _start\n_start: lea first_stack + 65536(%rip), %rsp\n call runner");
