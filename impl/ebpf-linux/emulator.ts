/**
 * The running kernel's eBPF, verifier and JIT compiler, as a black box: single instructions from given states.
 */
import os from "node:os";
import path from "node:path";
import type { CaseRoom, Emulator, EmulatorCase, EmulatorFactory, Missing } from "../../refinement/emulator.js";
import { EnvironmentFailure, InternalDefect, UserError } from "../../refinement/errors.js";
import type { State } from "../../refinement/execute/state.js";
import type { Machine } from "../../refinement/machine.js";
import { compile, digestOf, findProgram, versionOf } from "../shared/programs.js";
import { costOf, type Guest, guestOf, wordsOf } from "./cases.js";
import { type Finding, readFindings } from "./findings.js";
import { harness, LEAVES, PROBES, type Trial, WINDOW } from "./harness.js";
import { CODE, DATA, ROOM_MEMORY } from "./layout.js";
import { type Observed, after } from "./observed.js";
import { contextOf, windowOf } from "./inputs.js";
import { readOptions } from "./options.js";
import { type Answer, MAX_BATCH, type Request, Runner } from "./runner.js";
import { accessOf, readSlot } from "./slots.js";
import { TRAPS, type TrapName, meaningOf } from "./verifier.js";

const factory: EmulatorFactory = async (guest, options, directory) => {
  const { compiler, exempt } = readOptions(options);
  const traps = trapCodes(guest);
  const list = path.join(directory, "findings.yaml");
  const findings = await readFindings(list);
  const found = await findProgram(compiler);
  if (os.platform() !== "linux" || found === undefined)
    return { missing: [{ program: compiler, remedy: `install ${compiler} on Linux (apt-get install gcc libc6-dev)` }] };
  const source = path.join(directory, "host", "runner.c");
  const program = await compile({
    compiler: found,
    flags: ["-O2"],
    sources: [source],
    headers: [],
    name: "runner",
    folder: "ebpf-linux",
  });
  const opened = await Runner.open(program);
  if ("errno" in opened) return { missing: [noPermission(opened.errno)] };
  const unable = await inability(opened.runner);
  if (unable !== undefined) {
    await opened.runner.close();
    return { missing: [unable] };
  }
  const identity = [
    `Linux ${os.release()} (${os.arch()})`,
    await versionOf(found),
    `sources ${await digestOf([source, list])}`,
  ].join("; ");
  return { emulator: new Kernel(opened.runner, identity, traps, exempt, findings) };
};
export default factory;

function noPermission(errno: number): Missing {
  const remedy = "run as root (CAP_BPF and CAP_PERFMON), on a Linux that is not locked down and has CONFIG_BPF_SYSCALL";
  return { program: `permission for bpf(2) (errno ${errno})`, remedy };
}

/** Whether the kernel loads a program at all, and one that needs what came last: sign extension, signed division, gotol. */
async function inability(runner: Runner): Promise<Missing | undefined> {
  const empty = { context: new Uint8Array(8), window: new Uint8Array(WINDOW.size) };
  const requests = [PROBES.any, PROBES.last].map((slots) => ({ slots, ...empty }));
  const [any, last] = await runner.run(requests, new AbortController().signal);
  if (any?.kind === "refused") return noPermission(any.errno);
  return last?.kind === "refused" ? { program: "Linux 6.6", remedy: "run it on that or a later version" } : undefined;
}

function trapCodes(guest: Machine): ReadonlyMap<TrapName, bigint> {
  return new Map(
    TRAPS.map((name) => {
      const trap = guest.traps.find((t) => t.name === name);
      if (trap === undefined)
        throw new UserError(`${guest.name} has no trap ${name}: the kernel is compared with eBPF`);
      return [name, BigInt(trap.code)];
    }),
  );
}

class Kernel implements Emulator {
  readonly identity: string;
  readonly exempt: ReadonlyMap<string, string>;
  readonly room: CaseRoom;
  private readonly runner: Runner;
  private readonly traps: ReadonlyMap<TrapName, bigint>;

  constructor(
    runner: Runner,
    identity: string,
    traps: ReadonlyMap<TrapName, bigint>,
    exempt: ReadonlyMap<string, string>,
    findings: readonly Finding[],
  ) {
    this.room = { memory: ROOM_MEMORY, code: CODE, data: DATA, cost: (state) => costOf(state, findings) };
    this.runner = runner;
    this.identity = identity;
    this.traps = traps;
    this.exempt = exempt;
  }

  async *execute(cases: readonly EmulatorCase[], signal: AbortSignal): AsyncGenerator<State> {
    for (let at = 0; at < cases.length; at += MAX_BATCH) {
      const prepared = cases.slice(at, at + MAX_BATCH).map((c) => this.prepare(c));
      const answers = await this.runner.run(
        prepared.map((p) => p.request),
        signal,
      );
      for (const [i, { guest, trial, asked, request }] of prepared.entries()) {
        const answer = answers[i];
        if (answer === undefined) throw new InternalDefect("a case without an answer");
        yield answer.kind === "refused"
          ? this.refused(guest, answer)
          : after(guest, { trial, asked, request, answer } satisfies Observed, this.traps);
      }
    }
  }

  private prepare(c: EmulatorCase): {
    readonly guest: Guest;
    readonly trial: Trial | undefined;
    readonly asked: ReturnType<typeof harness>;
    readonly request: Request;
  } {
    const guest = guestOf(c.state);
    const words = wordsOf(guest);
    const [word] = words;
    if (word === undefined) {
      const request = { slots: LEAVES, context: contextOf(guest, undefined), window: new Uint8Array(WINDOW.size) };
      return { guest, trial: undefined, asked: undefined, request };
    }
    const slot = readSlot(word);
    const access = accessOf(slot);
    const address =
      access === undefined ? undefined : BigInt.asUintN(64, (guest.r[access.base] ?? 0n) + BigInt(slot.offset));
    const trial: Trial = { words, slot, address, depth: guest.depth };
    const asked = harness(trial, this.runner.map);
    if (asked === undefined)
      throw new InternalDefect(`no program for 0x${word.toString(16)}, which was said to be cheap`);
    const request = {
      slots: asked.slots,
      context: contextOf(guest, { trial, asked }),
      window: windowOf(guest, trial, asked),
    };
    return { guest, trial, asked, request };
  }

  /** What the verifier says before the program runs is what the guest's trap says when it does. */
  private refused(guest: Guest, answer: Answer & { kind: "refused" }): State {
    const trap = meaningOf(answer.log);
    if (trap === undefined) {
      const words = wordsOf(guest).map((w) => w.toString(16).padStart(16, "0"));
      throw new EnvironmentFailure(
        "Linux",
        `does not load a program around ${words.join(" ")} (errno ${answer.errno}): ${answer.log}`,
      );
    }
    const state = new Map(guest.state);
    state.set("trap", this.traps.get(trap) ?? 0n);
    if (trap === "program_access_fault") state.set("trap.value", guest.pc);
    else state.delete("trap.value");
    return state;
  }

  async close(): Promise<void> {
    await this.runner.close();
  }
}
