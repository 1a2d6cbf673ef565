/*
 * The case runner. Runs single instructions from exactly given states. Everything happens in one signal handler: the state of a case is put into
 * the frame that the handler returns to, the instruction at its pc runs, and whatever comes next (a breakpoint, with which all
 * of the code windows is filled, or a fault) enters the handler again with the state after it.
 *
 * stdin:  a `struct layout`, then batches: a `struct batch` and its `count` times `struct input`.
 * stdout: at the end of each batch, `count` times `struct output`. (case-runner.ts writes and reads the same.)
 *
 * It is compiled for 32 and 64 bits, without the library that shifts or multiplies double registers: numbers of 64 bits are
 * taken apart into bytes.
 */
#include "system.h"
#include "../../shared/windows.h"

enum { SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGSEGV = 11, SIGVTALRM = 26 };
enum { MAX_SLOTS = 4096, MAX_PATCHES = 4, MAX_CHANGES = 4, MAX_BATCH = 256 };
enum { LOADS = 1, STORES = 2, JUMPS = 4 };

/* COMPRESSED: c.ebreak, which stops at every even address; ebreak where there is no C extension. */
#ifdef COMPRESSED
#define BREAKPOINTS 0x9002900290029002ull
#else
#define BREAKPOINTS 0x0010007300100073ull
#endif

struct patch {
  u64 address, length, value; /* length 0 to 8 bytes, little-endian */
};
struct batch {
  u64 count, careful; /* careful: look for changes in all windows after each case, not near its access only */
};
struct input {
  u64 pc, x[31], word, length;
  u64 does, address;              /* LOADS, STORES at this address; JUMPS anywhere */
  u64 reservation, reserve_bytes; /* registered before the case, by a load-reserved of 4 or 8 bytes; 0 for none */
  u64 probe, probe_bytes;         /* where to look for a reservation after it, of 4 or 8 bytes; 0 for nowhere */
  struct patch patches[MAX_PATCHES];
#ifdef FLOATS
  u64 f[32];
#endif
};
struct change {
  u64 address, value; /* an aligned double word that differs from what it was before the instruction */
};
struct output {
  u64 pc, x[31], signal, code, address;
  u64 changed; /* how many double words; only the first are listed */
  u64 stray;   /* this batch changed memory that no case is known to have changed: run it again, carefully */
  u64 reserved;
  struct change changes[MAX_CHANGES];
#ifdef FLOATS
  u64 f[32];
#endif
};

/* The kernel's struct rt_sigframe parts that we use. */
struct context {
  ux flags, link, stack[3];
  u32 mask[2], unused[30];
  ux pc __attribute__((aligned(16)));
  ux x[31];
  u64 f[32];
};
struct info {
  i32 signal, error, code;
  ux address;
};
struct action {
  void (*handler)(int, struct info *, struct context *);
  ux flags;
  u32 mask[2];
};

static struct layout layout;
static struct batch batch;
static struct input inputs[MAX_BATCH];
static struct output outputs[MAX_BATCH];
static ux order[MAX_BATCH];               /* indices of cases, those that are placed early first */
static ux early;                          /* how many are placed early */
static ux position;                       /* in `order`, of the case that runs; `batch.count` before the first */
static ux ticks;                          /* timer ticks since the case began */
static u8 slots[MAX_WINDOWS][MAX_SLOTS];  /* half words of each window that this batch uses */
static u8 alternate_stack[65536] __attribute__((aligned(16)));

static void leave(int status) {
  for (;;) syscall3(SYS_EXIT_GROUP, (ux)status, 0, 0);
}

/* Reads exactly `size` bytes; leaves at the end of the input. */
static void read_all(void *to, ux size) {
  for (ux done = 0; done < size;) {
    ix n = syscall3(SYS_READ, 0, (ux)to + done, size - done);
    if (n <= 0) leave(n < 0 || done > 0);
    done += (ux)n;
  }
}

static void write_all(const void *from, ux size) {
  for (ux done = 0; done < size;) {
    ix n = syscall3(SYS_WRITE, 1, (ux)from + done, size - done);
    if (n <= 0) leave(1);
    done += (ux)n;
  }
}

/* What the aligned double word at `address` holds before patches: code windows hold breakpoints, others a pattern. */
static u64 background(const struct window *w, ux address) {
  return w->protection & PROT_EXEC ? BREAKPOINTS
                                   : (u64)(address >> 3) * 0x9E3779B97F4A7C15ull ^ 0x5851F42D4C957F2Dull;
}

static void map_windows(void) {
  const ux private_anonymous_noreserve_noreplace = 0x2 | 0x20 | 0x4000 | 0x100000;
  for (ux i = 0; i < layout.count; i++) {
    struct window *w = &layout.windows[i];
    ux start = w->start - w->guard, size = w->end + w->guard - start;
    if ((ux)syscall6(SYS_MMAP, start, size, 0, private_anonymous_noreserve_noreplace, (ux)-1, 0) != start) leave(2);
    if (syscall3(SYS_MPROTECT, w->start, w->end - w->start, PROT_READ | PROT_WRITE) != 0) leave(3);
    for (ux a = w->start; a < w->end; a += 8) *(u64 *)a = background(w, a);
    if (syscall3(SYS_MPROTECT, w->start, w->end - w->start, w->protection) != 0) leave(3);
  }
}

static struct window *window_of(u64 address) {
  for (ux i = 0; i < layout.count; i++)
    if (address - layout.windows[i].start < layout.windows[i].end - layout.windows[i].start) return &layout.windows[i];
  return 0;
}

/* True where the instruction can be put, and will be fetched. */
static int is_code(u64 pc) {
  const struct window *w = window_of(pc);
  return w && w->protection & PROT_EXEC;
}

static void poke(ux address, ux length, const u64 *value) {
  for (ux i = 0; i < length; i++) ((volatile u8 *)address)[i] = ((const u8 *)value)[i];
}

/* The instruction's word in memory, or what was there before it; it may begin in the window and end behind it. */
static void put(ux pc, ux length, u64 word) {
  *(volatile u16 *)pc = (u16)word;
  if (length == 4 && is_code(pc + 2)) *(volatile u16 *)(pc + 2) = (u16)((u32)word >> 16);
}

/* The double word at `address` as the case began with it. */
static u64 before(const struct input *in, const struct window *w, ux address) {
  u64 value = background(w, address);
  for (ux p = 0; p < MAX_PATCHES; p++)
    for (ux i = 0; i < in->patches[p].length; i++) {
      ux at = (ux)in->patches[p].address + i - address;
      if (at < 8) ((u8 *)&value)[at] = ((const u8 *)&in->patches[p].value)[i];
    }
  for (ux i = 0; i < in->length; i++) {
    ux at = (ux)in->pc + i - address;
    if (at < 8 && is_code(in->pc)) ((u8 *)&value)[at] = ((const u8 *)&in->word)[i];
  }
  return value;
}

static void look(const struct input *in, struct output *out, const struct window *w, u64 from, u64 to) {
  for (u64 a = from & ~7ull; a < to; a += 8) {
    if (a < w->start || a >= w->end) continue;
    u64 now = *(volatile u64 *)(ux)a, then = before(in, w, a);
    if (now == then) continue;
    if (out->changed < MAX_CHANGES) {
      out->changes[out->changed].address = a;
      out->changes[out->changed].value = now;
    }
    out->changed++;
    *(volatile u64 *)(ux)a = then;
  }
}

static void look_for_changes(const struct input *in, struct output *out) {
  if (batch.careful) {
    for (ux i = 0; i < layout.count; i++) look(in, out, &layout.windows[i], layout.windows[i].start, layout.windows[i].end);
  } else if (in->does & (LOADS | STORES)) {
    struct window *w = window_of(in->address);
    if (!w) w = window_of(in->address + 7);
    if (w) look(in, out, w, in->address - 16, in->address + 24);
  }
}

static void place(const struct input *in) {
  if (is_code(in->pc)) put(in->pc, in->length, in->word);
}

static void unplace(const struct input *in) {
  if (is_code(in->pc)) put(in->pc, in->length, BREAKPOINTS);
}

static void undo_patches(const struct input *in) {
  for (ux p = 0; p < MAX_PATCHES; p++)
    for (ux i = 0; i < in->patches[p].length; i++) {
      ux address = in->patches[p].address + i;
      struct window *w = window_of(address);
      if (!w) continue;
      u64 value = background(w, address & ~(ux)7);
      *(volatile u8 *)address = ((u8 *)&value)[address & 7];
    }
}

static u64 stray_writes(void) {
  u64 found = 0;
  for (ux i = 0; i < layout.count; i++) {
    struct window *w = &layout.windows[i];
    for (ux a = w->start; a < w->end; a += 8)
      if (*(u64 *)a != background(w, a)) {
        found++;
        *(u64 *)a = background(w, a);
      }
  }
  return found;
}

/* The mark of the half word at `pc`; none where it is no code. */
static u8 *slot(u64 pc) {
  static u8 none;
  struct window *w = window_of(pc);
  if (!w || !(w->protection & PROT_EXEC)) return &none;
  ux at = ((ux)pc - (ux)w->start) / 2;
  return at < MAX_SLOTS ? &slots[w - layout.windows][at] : &none;
}

/*
 * Writing an instruction costs far more than running it, since QEMU drops its translations of the page. So a batch's instructions
 * are written all at once where none can see another: not those that jump or store or that load code.
 */
static int can_be_early(const struct input *in) {
  if (batch.careful || !is_code(in->pc) || in->does & (STORES | JUMPS)) return 0;
  if (in->does & LOADS && (is_code(in->address) || is_code(in->address + 7))) return 0;
  for (ux p = 0; p < MAX_PATCHES; p++)
    if (in->patches[p].length && (is_code(in->patches[p].address) || is_code(in->patches[p].address + 7))) return 0;
  for (ux i = 0; i < in->length; i += 2)
    if (*slot(in->pc + i)) return 0;
  /* Where one ends, none begins. */
  if (*slot(in->pc + in->length) == 1 || *slot(in->pc + in->length + 2) == 1) return 0;
  for (ux i = 0; i < in->length; i += 2) *slot(in->pc + i) = 1;
  for (ux i = in->length; i < in->length + 4; i += 2)
    if (is_code(in->pc + i)) *slot(in->pc + i) = 2;
  *slot(0) = 0;
  return 1;
}

static void arrange(void) {
  ux late = batch.count;
  early = 0;
  for (ux i = batch.count; i-- > 0;)
    if (!can_be_early(&inputs[i])) order[--late] = i;
    else order[early++] = i;
  for (ux i = 0; i < early; i++) place(&inputs[order[i]]);
}

static void clear_slots(void) {
  for (ux i = 0; i < early; i++) {
    const struct input *in = &inputs[order[i]];
    unplace(in);
    for (ux k = 0; k < in->length + 4; k += 2) *slot(in->pc + k) = 0;
  }
}

static void next_batch(void) {
  if (batch.count > 0) {
    outputs[batch.count - 1].stray = stray_writes();
    write_all(outputs, batch.count * sizeof(struct output));
  }
  read_all(&batch, sizeof batch);
  if (batch.count == 0 || batch.count > MAX_BATCH) leave(4);
  read_all(inputs, batch.count * sizeof(struct input));
  arrange();
}

/* The last that the handler does with a reservation: QEMU keeps it until a store-conditional. */
static void reserve(ux address, ux bytes) {
#ifdef ATOMICS
  ux value;
  __asm__ volatile(".option push\n.option arch, +a\nsc.w zero, zero, (%0)\n.option pop" : : "r"(alternate_stack) : "memory");
  if (bytes == 4) __asm__ volatile(".option push\n.option arch, +a\nlr.w %0, (%1)\n.option pop" : "=r"(value) : "r"(address) : "memory");
#if __riscv_xlen == 64
  if (bytes == 8) __asm__ volatile(".option push\n.option arch, +a\nlr.d %0, (%1)\n.option pop" : "=r"(value) : "r"(address) : "memory");
#endif
#endif
  (void)address, (void)bytes;
}

/* Whether a store-conditional succeeds there; it writes what is there already. QEMU compares it with what was reserved. */
static u64 reserved(ux address, ux bytes) {
#ifdef ATOMICS
  struct window *w = window_of(address);
  if (!address || !w || !(w->protection & PROT_WRITE)) return 0;
  ux failed = 1;
  if (bytes == 4) __asm__ volatile(".option push\n.option arch, +a\nsc.w %0, %2, (%1)\n.option pop" : "=&r"(failed) : "r"(address), "r"(*(volatile u32 *)address) : "memory");
#if __riscv_xlen == 64
  if (bytes == 8) __asm__ volatile(".option push\n.option arch, +a\nsc.d %0, %2, (%1)\n.option pop" : "=&r"(failed) : "r"(address), "r"(*(volatile u64 *)address) : "memory");
#endif
  return !failed;
#else
  (void)address, (void)bytes;
  return 0;
#endif
}

static void start(struct context *context) {
  struct input *in = &inputs[order[position]];
  if (position == early) clear_slots();
  for (ux p = 0; p < MAX_PATCHES; p++) poke(in->patches[p].address, in->patches[p].length, &in->patches[p].value);
  if (position >= early) place(in);
  context->pc = in->pc;
  for (ux i = 0; i < 31; i++) context->x[i] = in->x[i];
#ifdef FLOATS
  for (ux i = 0; i < 32; i++) context->f[i] = in->f[i];
#endif
  ticks = 0;
  reserve(in->reservation, in->reserve_bytes);
}

/* A 32-bit register, zero-extended. */
static u64 shown(ux value) { return value; }

static void finish(struct info *info, struct context *context) {
  struct input *in = &inputs[order[position]];
  struct output *out = &outputs[order[position]];
  out->reserved = reserved(in->probe, in->probe_bytes);
  out->pc = shown(context->pc);
  for (ux i = 0; i < 31; i++) out->x[i] = shown(context->x[i]);
#ifdef FLOATS
  for (ux i = 0; i < 32; i++) out->f[i] = context->f[i];
#endif
  out->signal = (u64)info->signal;
  out->code = (u64)(i64)info->code;
  out->address = shown(info->address);
  out->changed = 0;
  out->stray = 0;
  look_for_changes(in, out);
  undo_patches(in);
  if (position >= early) unplace(in);
}

static void handle(int signal, struct info *info, struct context *context) {
  if (signal == SIGVTALRM) {
    if (++ticks < 3) return;
    info->address = 0;
  }
  if (position < batch.count) {
    finish(info, context);
    position++;
  }
  if (position >= batch.count) {
    if (position == early) clear_slots();
    next_batch();
    position = 0;
  }
  start(context);
}

void runner(void) {
  static const int signals[] = {SIGILL, SIGTRAP, SIGBUS, SIGSEGV, SIGVTALRM};
  const ux siginfo_onstack = 4 | 0x08000000;
  struct action action = {handle, siginfo_onstack, {~0u, ~0u}};
  ux stack[3] = {(ux)alternate_stack, 0, sizeof alternate_stack};
  ux timer[4] = {0, 10000, 0, 10000}; /* 10 ms of processor time: a jump to itself would never end */
  read_all(&layout, sizeof layout);
  if (layout.count > MAX_WINDOWS) leave(4);
  map_windows();
  syscall3(SYS_SIGALTSTACK, (ux)stack, 0, 0);
  for (ux i = 0; i < sizeof signals / sizeof *signals; i++)
    if (syscall6(SYS_RT_SIGACTION, (ux)signals[i], (ux)&action, 0, 8, 0, 0) != 0) leave(5);
  if (syscall3(SYS_SETITIMER, 1, (ux)timer, 0) != 0) leave(6);
  __asm__ volatile("ebreak");
  leave(7);
}

static u8 first_stack[65536] __attribute__((aligned(16), used));
__asm__(".globl _start\n_start: lla sp, first_stack + 65536\n tail runner");
