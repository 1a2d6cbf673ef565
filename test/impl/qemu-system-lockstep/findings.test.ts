/** The findings are what a program can read: each says whose fault, by what the manual says where, and how it is met. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { programs } from "../../../impl/qemu-system-lockstep/programs.js";
import { readFindings } from "../../../validation/files.js";

interface Met {
  readonly parameter?: string;
  readonly program?: string;
  readonly leaves?: string;
  readonly mended?: string;
}

const FILE = "impl/qemu-system-lockstep/findings.yaml";
const met: { readonly findings: readonly { readonly name: string; readonly met: Met }[] } = parse(
  readFileSync(FILE, "utf8"),
);

test("each has a name of its own, and says whose fault it is, and by which section", async () => {
  const findings = await readFindings(FILE);
  expect(new Set(findings.map((f) => f.name)).size).toBe(findings.length);
  for (const { name, fault, source } of findings) {
    expect(["QEMU", "choice", "definition"], name).toContain(fault);
    expect(source, name).toMatch(/^Volume I+, section \d+\.\d+/);
  }
});

test.for(met.findings.map((f) => [f.name, f] as const))("%s is met", ([, finding]) => {
  const { parameter, program, leaves, mended } = finding.met;
  expect([parameter, program, mended].filter((x) => x !== undefined)).toHaveLength(1);
  for (const name of parameter?.match(/[A-Z_]{3,}/g) ?? []) {
    const texts = [32, 64].map((xlen) => readFileSync(`impl/qemu-system-lockstep/rv${xlen}.yaml`, "utf8"));
    expect(
      texts.some((text) => text.includes(`${name}:`)),
      name,
    ).toBe(true);
  }
  if (program !== undefined) {
    expect(
      programs(64).some((p) => p.name.startsWith(program)),
      program,
    ).toBe(true);
    expect(leaves).toBeDefined();
  }
});
