/** eBPF on the command line: assembly, and programs with a context. */
import { expect, test } from "vitest";
import { commute } from "./commute.js";

const TEXT = "w0 = *(u8 *)(r1 + 1)\n*(u8 *)(r1 + 0) = 255\nr2 = 4294967296 ll\nif r0 s> 5 goto +1\nr0 = 0\nexit";

async function hex(): Promise<string> {
  const { stdout } = await commute(["asm", "--quiet", "ebpf", TEXT.replaceAll("\n", ";")]);
  return stdout.trim();
}

test("asm and disasm give each other's input; what is no instruction is data", async () => {
  const code = (await hex()).split(" ");
  expect((await commute(["disasm", "--quiet", "ebpf", ...code])).stdout.trim()).toBe(TEXT);
  const { stdout } = await commute(["disasm", "--json", "ebpf", "8d01000000000000"]);
  expect(JSON.parse(stdout).instructions[0]).toMatchObject({
    assembly: ".dword 0x000000000000018d",
    instruction: null,
  });
});

test("run prints R0, exits with its lowest byte, and tells what is left of the context", async () => {
  const code = await hex();
  const ran = await commute(["run", "ebpf", "--hex", code, "--context", "0102"]);
  expect([ran.code, ran.stdout]).toEqual([0, "r0 = 0x0\n"]);
  const json = await commute(["run", "ebpf", "--hex", code, "--context", "01 2a", "--json"]);
  expect(json.code).toBe(42);
  expect(JSON.parse(json.stdout)).toMatchObject({ reason: "exit", r0: expect.anything(), context: "ff2a", steps: 5 });
});

test.each([
  [["--context", "0x1"], "1 hexadecimal digits are not whole bytes"],
  [["--context", "zz"], "no hexadecimal digit"],
])("run %j is refused", async (options, message) => {
  const ran = await commute(["run", "ebpf", "--hex", await hex(), ...options]);
  expect(ran.code).toBe(2);
  expect(ran.stderr).toContain(message);
});

test("eBPF's options are for eBPF, and a program that never ends is stopped", async () => {
  const other = await commute(["run", "rv32i", "--hex", "73000000", "--entry", "main"]);
  expect([other.code, other.stderr.includes("are for eBPF programs")]).toEqual([2, true]);
  const loop = await commute(["run", "ebpf", "--hex", "0500ffff00000000", "--max-steps", "100"]);
  expect([loop.code, loop.stderr.includes("stopped after 100 instructions")]).toEqual([152, true]);
});
