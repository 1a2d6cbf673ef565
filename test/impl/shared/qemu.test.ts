/** Looking for QEMU and its options. No QEMU is needed. */
import { describe, expect, test } from "vitest";
import { findProgram } from "../../../impl/shared/programs.js";
import { missing } from "../../../impl/shared/programs.js";
import { singleStepOption } from "../../../impl/shared/qemu.js";

describe("the toolchain", () => {
  test.each([
    ["qemu-riscv64 version 7.2.22 (Debian 1:7.2+dfsg-7)", "-singlestep"],
    ["qemu-riscv64 version 8.0.4", "-singlestep"],
    ["qemu-riscv64 version 8.1.0", "-one-insn-per-tb"],
    ["qemu-riscv64 version 10.0.2", "-one-insn-per-tb"],
  ])("of %s steps by %s", (version, option) => {
    expect(singleStepOption(version)).toBe(option);
  });

  test("is looked for on PATH, and told how to install", async () => {
    expect(await findProgram("sh")).toMatch(/^\/.*\/sh$/);
    expect(await findProgram("no-such-program-anywhere")).toBeUndefined();
    expect(await findProgram("/nowhere/sh")).toBeUndefined();
    expect(missing("qemu-riscv64").remedy).toContain("qemu-user");
    expect(missing("my-emulator")).toEqual({ program: "my-emulator", remedy: "install my-emulator or put it on PATH" });
  });
});
