/*
 * The case runner. Runs single instructions from exactly given states. Everything happens in one signal handler: the state of a case is put into
 * the frame that the handler returns to, the instruction at its pc runs, and whatever comes next (an ebreak, with which all
 * other words of the code windows are filled, or a fault) enters the handler again with the state after it.
 *
 * stdin:  a `struct layout`, then batches: a `struct batch` and its `count` times `struct input`.
 * stdout: at the end of each batch, `count` times `struct output`. (case-runner.ts writes and reads the same.)
 */
#include "system.h"

enum { SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGSEGV = 11, SIGVTALRM = 26 };
enum { PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4 };
enum { MAX_WINDOWS = 16, MAX_SLOTS = 2048, MAX_PATCHES = 4, MAX_CHANGES = 4, MAX_BATCH = 256 };

#define EBREAKS 0x0010007300100073ul

struct window {
  u64 start, end;     /* page-aligned */
  u64 guard;          /* bytes before and behind that are kept inaccessible */
  u64 protection;     /* PROT_* */
};
struct layout {
  u64 count;
  struct window windows[MAX_WINDOWS];
};

struct patch {
  u64 address, length, value; /* length 0 to 8 bytes, little-endian */
};
struct batch {
  u64 count, careful; /* careful: look for changes in all windows after each case, not near its access only */
};
struct input {
  u64 pc, x[31], word;
  struct patch patches[MAX_PATCHES];
};
struct change {
  u64 address, value; /* an aligned double word that differs from what it was before the instruction */
};
struct output {
  u64 pc, x[31], signal, code, address;
  u64 changed; /* how many double words; only the first are listed */
  u64 stray;   /* this batch changed memory that no case is known to have changed: run it again, carefully */
  struct change changes[MAX_CHANGES];
};

/* The kernel's struct rt_sigframe parts that we use. */
struct context {
  u64 flags, link, stack[3], mask, unused[15], padding;
  u64 pc, x[31];
};
struct info {
  i32 signal, error, code, padding;
  u64 address;
};
struct action {
  void (*handler)(int, struct info *, struct context *);
  u64 flags, mask;
};

static struct layout layout;
static struct batch batch;
static struct input inputs[MAX_BATCH];
static struct output outputs[MAX_BATCH];
static u64 order[MAX_BATCH];              /* indices of cases, those that are placed early first */
static u64 early;                         /* how many are placed early */
static u64 position;                      /* in `order`, of the case that runs; `batch.count` before the first */
static u64 ticks;                         /* timer ticks since the case began */
static u8 slots[MAX_WINDOWS][MAX_SLOTS];  /* instruction words of each window that this batch uses */
static u8 alternate_stack[65536] __attribute__((aligned(16)));

static void leave(int status) {
  for (;;) syscall3(SYS_EXIT_GROUP, (u64)status, 0, 0);
}

/* Reads exactly `size` bytes; leaves at the end of the input. */
static void read_all(void *to, u64 size) {
  for (u64 done = 0; done < size;) {
    i64 n = syscall3(SYS_READ, 0, (u64)to + done, size - done);
    if (n <= 0) leave(n < 0 || done > 0);
    done += (u64)n;
  }
}

static void write_all(const void *from, u64 size) {
  for (u64 done = 0; done < size;) {
    i64 n = syscall3(SYS_WRITE, 1, (u64)from + done, size - done);
    if (n <= 0) leave(1);
    done += (u64)n;
  }
}

/* What the aligned double word at `address` holds before patches: code windows hold ebreaks, others a pattern. */
static u64 background(const struct window *w, u64 address) {
  return w->protection & PROT_EXEC ? EBREAKS : (address >> 3) * 0x9E3779B97F4A7C15ul ^ 0x5851F42D4C957F2Dul;
}

static void map_windows(void) {
  const u64 private_anonymous_noreserve_noreplace = 0x2 | 0x20 | 0x4000 | 0x100000;
  for (u64 i = 0; i < layout.count; i++) {
    struct window *w = &layout.windows[i];
    u64 start = w->start - w->guard, size = w->end + w->guard - start;
    if ((u64)syscall6(SYS_MMAP, start, size, 0, private_anonymous_noreserve_noreplace, (u64)-1, 0) != start) leave(2);
    if (syscall3(SYS_MPROTECT, w->start, w->end - w->start, PROT_READ | PROT_WRITE) != 0) leave(3);
    for (u64 a = w->start; a < w->end; a += 8) *(u64 *)a = background(w, a);
    if (syscall3(SYS_MPROTECT, w->start, w->end - w->start, w->protection) != 0) leave(3);
  }
}

static struct window *window_of(u64 address) {
  for (u64 i = 0; i < layout.count; i++)
    if (address - layout.windows[i].start < layout.windows[i].end - layout.windows[i].start) return &layout.windows[i];
  return 0;
}

/* True where the instruction can be put, and will be fetched. */
static int is_code(u64 pc) {
  const struct window *w = window_of(pc);
  return w && w->protection & PROT_EXEC;
}

static void poke(u64 address, u64 length, u64 value) {
  for (u64 i = 0; i < length; i++) ((volatile u8 *)address)[i] = (u8)(value >> 8 * i);
}

/* The double word at `address` as the case began with it. */
static u64 before(const struct input *in, const struct window *w, u64 address) {
  u64 value = background(w, address);
  for (u64 p = 0; p < MAX_PATCHES; p++)
    for (u64 i = 0; i < in->patches[p].length; i++) {
      u64 at = in->patches[p].address + i - address;
      if (at < 8) value = (value & ~(0xfful << 8 * at)) | (in->patches[p].value >> 8 * i & 0xff) << 8 * at;
    }
  for (u64 i = 0; i < 4; i++) {
    u64 at = in->pc + i - address;
    if (at < 8 && is_code(in->pc)) value = (value & ~(0xfful << 8 * at)) | ((u64)in->word >> 8 * i & 0xff) << 8 * at;
  }
  return value;
}

static void look(const struct input *in, struct output *out, const struct window *w, u64 from, u64 to) {
  for (u64 a = from & ~7ul; a < to; a += 8) {
    if (a < w->start || a >= w->end) continue;
    u64 now = *(volatile u64 *)a, then = before(in, w, a);
    if (now == then) continue;
    if (out->changed < MAX_CHANGES) {
      out->changes[out->changed].address = a;
      out->changes[out->changed].value = now;
    }
    out->changed++;
    *(volatile u64 *)a = then;
  }
}

static u64 effective_address(const struct input *in) {
  u64 base = in->word >> 15 & 31;
  i64 offset = (in->word & 0x7f) == 0x23 ? ((i32)in->word >> 25) * 32 + (i64)(in->word >> 7 & 31) : (i32)in->word >> 20;
  return (base ? in->x[base - 1] : 0) + (u64)offset;
}

static void look_for_changes(const struct input *in, struct output *out) {
  if (batch.careful) {
    for (u64 i = 0; i < layout.count; i++) look(in, out, &layout.windows[i], layout.windows[i].start, layout.windows[i].end);
  } else if ((in->word & 0x5f) == 0x03) {
    u64 address = effective_address(in);
    struct window *w = window_of(address);
    if (!w) w = window_of(address + 7);
    if (w) look(in, out, w, address - 16, address + 24);
  }
}

static void place(const struct input *in) {
  if (is_code(in->pc)) *(volatile u32 *)in->pc = (u32)in->word;
}

static void unplace(const struct input *in) {
  if (is_code(in->pc)) *(volatile u32 *)in->pc = (u32)EBREAKS;
}

static void undo_patches(const struct input *in) {
  for (u64 p = 0; p < MAX_PATCHES; p++)
    for (u64 i = 0; i < in->patches[p].length; i++) {
      u64 address = in->patches[p].address + i;
      struct window *w = window_of(address);
      if (w) poke(address, 1, background(w, address & ~7ul) >> 8 * (address & 7));
    }
}

static u64 stray_writes(void) {
  u64 found = 0;
  for (u64 i = 0; i < layout.count; i++) {
    struct window *w = &layout.windows[i];
    for (u64 a = w->start; a < w->end; a += 8)
      if (*(u64 *)a != background(w, a)) {
        found++;
        *(u64 *)a = background(w, a);
      }
  }
  return found;
}

static u8 *slot(u64 pc) {
  u64 i = (u64)(window_of(pc) - layout.windows), at = (pc - layout.windows[i].start) / 4;
  return at < MAX_SLOTS ? &slots[i][at] : 0;
}

/*
 * Writing an instruction costs far more than running it, since QEMU drops its translations of the page. So a batch's instructions
 * are written all at once where none can see another: not those that jump or store or that load code.
 */
static int can_be_early(const struct input *in) {
  u64 opcode = in->word & 0x7f;
  if (batch.careful || !is_code(in->pc) || opcode == 0x63 || opcode == 0x67 || opcode == 0x6f || opcode == 0x23) return 0;
  if (opcode == 0x03 && (is_code(effective_address(in)) || is_code(effective_address(in) + 7))) return 0;
  for (u64 p = 0; p < MAX_PATCHES; p++)
    if (in->patches[p].length && (is_code(in->patches[p].address) || is_code(in->patches[p].address + 7))) return 0;
  u8 *own = slot(in->pc), *next = is_code(in->pc + 4) ? slot(in->pc + 4) : 0;
  if (!own || *own || (next && *next == 1)) return 0;
  *own = 1; /* an instruction */
  if (next) *next = 2; /* where one ends */
  return 1;
}

static void arrange(void) {
  u64 late = batch.count;
  early = 0;
  for (u64 i = batch.count; i-- > 0;)
    if (!can_be_early(&inputs[i])) order[--late] = i;
    else order[early++] = i;
  for (u64 i = 0; i < early; i++) place(&inputs[order[i]]);
}

static void clear_slots(void) {
  for (u64 i = 0; i < early; i++) {
    const struct input *in = &inputs[order[i]];
    unplace(in);
    *slot(in->pc) = 0;
    if (is_code(in->pc + 4)) *slot(in->pc + 4) = 0;
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

static void start(struct context *context) {
  struct input *in = &inputs[order[position]];
  if (position == early) clear_slots();
  for (u64 p = 0; p < MAX_PATCHES; p++) poke(in->patches[p].address, in->patches[p].length, in->patches[p].value);
  if (position >= early) place(in);
  context->pc = in->pc;
  for (u64 i = 0; i < 31; i++) context->x[i] = in->x[i];
  ticks = 0;
}

static void finish(struct info *info, struct context *context) {
  struct input *in = &inputs[order[position]];
  struct output *out = &outputs[order[position]];
  out->pc = context->pc;
  for (u64 i = 0; i < 31; i++) out->x[i] = context->x[i];
  out->signal = (u64)info->signal;
  out->code = (u64)(i64)info->code;
  out->address = info->address;
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
  const u64 siginfo_onstack = 4 | 0x08000000;
  struct action action = {handle, siginfo_onstack, ~0ul};
  u64 stack[3] = {(u64)alternate_stack, 0, sizeof alternate_stack};
  u64 timer[4] = {0, 10000, 0, 10000}; /* 10 ms of processor time: a jump to itself would never end */
  read_all(&layout, sizeof layout);
  if (layout.count > MAX_WINDOWS) leave(4);
  map_windows();
  syscall3(SYS_SIGALTSTACK, (u64)stack, 0, 0);
  for (u64 i = 0; i < sizeof signals / sizeof *signals; i++)
    if (syscall6(SYS_RT_SIGACTION, (u64)signals[i], (u64)&action, 0, 8, 0, 0) != 0) leave(5);
  if (syscall3(SYS_SETITIMER, 1, (u64)timer, 0) != 0) leave(6);
  __asm__ volatile("ebreak");
  leave(7);
}

static u8 first_stack[65536] __attribute__((aligned(16), used));
__asm__(".globl _start\n_start: lla sp, first_stack + 65536\n tail runner");
