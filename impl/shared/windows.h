/* Where cases run: what a case runner reads first (windows.ts writes it). Its source defines u64 beforehand. */
#ifndef WINDOWS_H
#define WINDOWS_H

enum { PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4 };
enum { MAX_WINDOWS = 16 };

struct window {
  u64 start, end;     /* page-aligned */
  u64 guard;          /* bytes before and behind that are kept inaccessible */
  u64 protection;     /* PROT_* */
};
struct layout {
  u64 count;
  struct window windows[MAX_WINDOWS];
};

#endif
