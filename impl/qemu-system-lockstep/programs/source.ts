/** A bare-metal program as text. */
export interface Source {
  readonly name: string;
  readonly text: string;
}

export type Xlen = 32 | 64;

export function program(name: string, lines: readonly string[], probes: readonly string[] = []): Source {
  const text = [
    '#include "harness.h"',
    '#include "tables.h"',
    ".section .text",
    "main:",
    ...lines.filter((l) => l !== ""),
    "  la t0, finish",
    "  jr t0",
    ...probes,
    "",
  ].join("\n");
  return { name, text };
}
