/** Emulators as a user has them: a program in any language, checked, found guilty, saved, mended, replayed. */
import path from "node:path";
import { describe, expect, test } from "vitest";
import { check, commute, folder } from "./commute.js";

const EMULATOR = path.resolve("test/refinement/emulation/emulator.mjs");

const refinement = (mistake: string, more = ""): string => `refinement: mine
guest: rv32i
emulator:
  command: [${JSON.stringify(process.execPath)}, ${JSON.stringify(EMULATOR)}, ${mistake}]
  memory:
    - { at: 0x1000, size: 0x40, access: rx }
    - { at: 0x1040, size: 0x40, access: none }
    - { at: 0x2000, size: 0x40, access: rw }
${more}`;

const FILE = "impl/mine/refinement.yaml";
const project = (mistake: string, more = ""): Promise<string> => folder({ [FILE]: refinement(mistake, more) });
const only = (...names: string[]): string[] => names.flatMap((name) => ["--only", `commute/${name}`]);

describe("an emulator behind the step protocol", { timeout: 300_000 }, () => {
  test("with a mistake is refuted; its counterexample replays, and holds once it is mended", async () => {
    const cwd = await project("sltu-signed");
    const ran = await check(["mine", ...only("add", "sltu"), "--cases", "100", "--save", "counterexamples"], { cwd });
    expect(ran.code).toBe(1);
    expect(ran.stdout).toMatch(/refuted commute\/sltu \(test, cases\)/);
    expect(ran.stdout).toMatch(/1 tested/);
    expect((await commute(["replay"], { cwd })).code).toBe(0);
    const { writeFile } = await import("node:fs/promises");
    await writeFile(path.join(cwd, FILE), refinement("none"));
    const replayed = await commute(["replay"], { cwd });
    expect(replayed.code).toBe(1);
    expect(replayed.stdout).toContain("got holds");
  });

  test("that fails is unknown and says why: exit code 3", async () => {
    const cwd = await project("crashes");
    const ran = await check(["mine", ...only("add", "sub"), "--cases", "3"], { cwd });
    expect(ran.code).toBe(3);
    expect(ran.stdout).toMatch(/unknown commute\/add.*emulator\): .*exited with 7 instead of answering/);
  });

  test("that is answered for is not asked again, unless it changes", async () => {
    const cwd = await project("none");
    const args = ["mine", ...only("add"), "--cases", "3", "--json"];
    const cached = async (): Promise<unknown> =>
      JSON.parse((await check(args, { cwd })).stdout).refinements[0].obligations[0].cached;
    expect(await cached()).toBeUndefined();
    expect(await cached()).toBe(true);
  });

  test("is explained, listed, and its file's mistakes have their place: exit code 2", async () => {
    const cwd = await project("none");
    expect((await commute(["explain", "mine"], { cwd })).code).toBe(0);
    expect((await commute(["list"], { cwd })).stdout).toContain("mine");
    const wrong = await project("none", "  avoid: [breakpiont]\n");
    const ran = await check(["mine"], { cwd: wrong });
    expect(ran.code).toBe(2);
    expect(ran.stderr).toMatch(/refinement\.yaml:\d+:\d+: E_EMULATOR: rv32i has no trap `breakpiont`.*`breakpoint`/);
  });

  test("that is not there, and a stub where nobody listens, are skipped: 3 if named", async () => {
    const cwd = await folder({
      [FILE]: refinement("none").replace(JSON.stringify(process.execPath), "./nowhere"),
      "impl/stub/refinement.yaml": `refinement: stub
guest: rv32i
emulator: { gdb: "127.0.0.1:1", architecture: riscv32, memory: [{ at: 0, size: 64, access: rwx }] }
`,
    });
    const ran = await check(["mine", "stub"], { cwd });
    expect(ran.code).toBe(3);
    expect(ran.stdout).toMatch(/skipped: \.\/nowhere is not installed/);
    expect(ran.stdout).toMatch(/skipped: a GDB stub at 127\.0\.0\.1:1 is not installed: start the emulator there/);
  });
});
