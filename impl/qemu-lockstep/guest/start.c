/*
 * Begins and ends every program that is run in lockstep: a stack of its own, so that nothing depends on what the environment
 * left on the stack, and at the end all of its memory, segment by segment, written to stdout to be compared.
 */
#include "system.h"

struct elf_header {
  u8 ident[16];
  u16 type, machine;
  u32 version;
  ux entry, program_headers, section_headers;
  u32 flags;
  u16 size, program_header_size, program_header_count;
};
#if __riscv_xlen == 64
struct program_header {
  u32 type, flags;
  ux offset, address, physical, file_size, memory_size, alignment;
};
#else
struct program_header {
  u32 type;
  ux offset, address, physical, file_size, memory_size;
  u32 flags;
  ux alignment;
};
#endif

extern const struct elf_header __ehdr_start;
extern int main(void);

void run(void) {
  const struct elf_header *elf = &__ehdr_start;
  const struct program_header *segment = (const struct program_header *)((ux)elf + elf->program_headers);
  ux status = (ux)main();
  for (ux i = 0; i < elf->program_header_count; i++) {
    if (segment[i].type != 1) continue;
    for (ux done = 0; done < segment[i].memory_size;) {
      ix n = syscall3(SYS_WRITE, 1, segment[i].address + done, segment[i].memory_size - done);
      if (n <= 0) syscall3(SYS_EXIT_GROUP, 99, 0, 0);
      done += (ux)n;
    }
  }
  syscall3(SYS_EXIT_GROUP, status, 0, 0);
}

static u8 stack[16384] __attribute__((aligned(16), used));
__asm__(".globl _start\n_start: lla sp, stack + 16384\n tail run");
