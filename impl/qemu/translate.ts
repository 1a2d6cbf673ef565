/**
 * Has QEMU translate guest code at given addresses and reads what it made of it. Requests go in batches, many to a run of QEMU.
 */
import { EnvironmentFailure } from "../../refinement/errors.js";
import type { Machine } from "../../refinement/machine.js";
import type { TranslationAnswer, TranslationRequest } from "../../refinement/translation.js";
import type { LoggedBlock, LoggedPrologue, LogProblem } from "./log.js";
import { readQemuLog, withExecutable } from "./qemu-log.js";
import { readTranslation, type GuestTraps } from "./read-translation.js";
import { canPlace, fitting, type Snippet, snippetProgram } from "./snippets.js";

/** Requests that are put into one program. */
const BATCH = 512;

export interface Emulation {
  readonly emulator: string;
  /** `-cpu …`, and where the guest's addresses lie. */
  readonly processor: readonly string[];
  /** What this version calls one guest instruction a block. */
  readonly singleStep: string;
  /** RV64I at least, to assemble the program with. */
  readonly guest: Machine;
  readonly silenceMs: number;
  readonly totalMs: number;
}

/** How a request is run. */
interface Mode {
  readonly singleStep: boolean;
  readonly withInput: boolean;
}

/** A block as it was logged for a request, or what stands in its way. */
export type Logged =
  | { readonly kind: "block"; readonly block: LoggedBlock; readonly prologue: LoggedPrologue }
  | { readonly kind: "error"; readonly reason: string };

/** One answer a request, in order. */
export async function* translateAll(
  emulation: Emulation,
  traps: GuestTraps,
  requests: readonly TranslationRequest[],
  signal: AbortSignal,
): AsyncGenerator<TranslationAnswer> {
  for await (const logged of logAll(emulation, requests, signal)) yield answer(logged, traps);
}

function answer(logged: Logged, traps: GuestTraps): TranslationAnswer {
  if (logged.kind === "error") return logged;
  const read = readTranslation(logged.block, logged.prologue, traps);
  return read.kind === "read" ? { kind: "translated", translation: read.translation } : read;
}

/** The logged block of each request, in order. */
export async function* logAll(
  emulation: Emulation,
  requests: readonly TranslationRequest[],
  signal: AbortSignal,
): AsyncGenerator<Logged> {
  for (let from = 0; from < requests.length; from += BATCH) {
    const batch = requests.slice(from, from + BATCH);
    const answers = new Map<TranslationRequest, Logged>();
    const groups = new Map<string, { readonly mode: Mode; readonly requests: TranslationRequest[] }>();
    for (const request of batch) {
      const wrong = unfit(request);
      if (wrong !== undefined) {
        answers.set(request, { kind: "error", reason: wrong });
        continue;
      }
      const mode = modeOf(request);
      const key = JSON.stringify(mode);
      const group = groups.get(key) ?? { mode, requests: [] };
      groups.set(key, group);
      group.requests.push(request);
    }
    for (const { mode, requests: some } of groups.values()) await logGroup(emulation, mode, some, answers, signal);
    for (const request of batch) yield answers.get(request) ?? { kind: "error", reason: "QEMU did not translate it" };
  }
}

function unfit(request: TranslationRequest): string | undefined {
  const { code } = request;
  if (code.length === 0 || code.length % 2 !== 0)
    return `${code.length} bytes of code: instructions have an even number`;
  return canPlace(request) ? undefined : "QEMU can have no guest code at this address: it is odd, or the host's own";
}

function modeOf({ code }: TranslationRequest): Mode {
  let withInput = true;
  let instructions = 0;
  for (let at = 0; at < code.length; instructions++) {
    const low = code[at] ?? 0;
    if ((low & 0x7f) === 0x7f) withInput = false;
    at += (low & 3) === 3 ? 4 : 2;
  }
  return { singleStep: instructions === 1, withInput };
}

/** Runs until every request has its answer; each run answers the first at least. */
async function logGroup(
  emulation: Emulation,
  mode: Mode,
  requests: readonly TranslationRequest[],
  answers: Map<TranslationRequest, Logged>,
  signal: AbortSignal,
): Promise<void> {
  let left = requests;
  // Without the guest's bytes in the log a block may be what stood at the address before, unless there is nothing else.
  const most = mode.withInput ? BATCH : 1;
  let room = most;
  while (left.length > 0) {
    const some = left.slice(0, Math.max(1, fitting(left, room)));
    let problems = await logSome(emulation, mode, some, answers, signal);
    // Once in thousands of runs, on a machine with much to do, QEMU ends before it logs anything: that is no answer.
    if (problems.includes(NOTHING_LOGGED)) problems = await logSome(emulation, mode, some, answers, signal);
    const [first] = some;
    if (first !== undefined && !answers.has(first)) answers.set(first, { kind: "error", reason: excuse(problems) });
    const before = left.length;
    left = left.filter((request) => !answers.has(request));
    // A run that was cut short: the next is shorter, too, lest each loses as much.
    room = before - left.length < some.length ? Math.min(most, Math.max(16, room >> 1)) : most;
  }
}

const NOTHING_LOGGED = "it ended and had logged nothing";

function excuse(problems: readonly string[]): string {
  return `QEMU did not translate it${problems.length > 0 ? `: ${problems.join("; ")}` : ""}`;
}

async function logSome(
  emulation: Emulation,
  mode: Mode,
  requests: readonly TranslationRequest[],
  answers: Map<TranslationRequest, Logged>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const waiting = new Waiting(requests, mode);
  const problems: string[] = [];
  const program = snippetProgram(emulation.guest, requests.map(snippetOf));
  await withExecutable(program, async (elf) => {
    const { emulator, processor, silenceMs, totalMs } = emulation;
    const options = mode.singleStep ? [...processor, emulation.singleStep] : processor;
    const log = readQemuLog({ emulator, options, elf, withInput: mode.withInput, silenceMs, totalMs }, signal);
    let prologue: LoggedPrologue | undefined;
    try {
      for (let next = await log.next(); ; next = await log.next()) {
        if (next.done === true) {
          const { complaint = "" } = next.value ?? {};
          if (complaint.trim() !== "") problems.push(complaint.trim().split("\n")[0] ?? "");
          else if (prologue === undefined) problems.push(NOTHING_LOGGED);
          break;
        }
        const event = next.value;
        if (event.kind === "prologue") prologue = event.prologue;
        else if (event.kind === "problem") problems.push(describe(event.problem));
        else if (prologue !== undefined) {
          for (const [request, wrong] of waiting.take(event.block)) {
            const { block } = event;
            answers.set(
              request,
              wrong === undefined ? { kind: "block", block, prologue } : { kind: "error", reason: wrong },
            );
          }
        }
      }
    } catch (error) {
      if (!(error instanceof EnvironmentFailure) || signal.aborted) throw error;
      problems.push(error.message);
    }
  });
  return problems;
}

function describe({ name, line, message }: LogProblem): string {
  return `${name} (line ${line} of the log): ${message}`;
}

function snippetOf({ pc, code }: TranslationRequest): Snippet {
  return { pc, code };
}

/** Requests whose blocks have not been logged yet. */
class Waiting {
  private readonly byPc = new Map<bigint, TranslationRequest[]>();
  private readonly mode: Mode;

  constructor(requests: readonly TranslationRequest[], mode: Mode) {
    this.mode = mode;
    for (const request of requests) {
      const others = this.byPc.get(request.pc);
      if (others === undefined) this.byPc.set(request.pc, [request]);
      else others.push(request);
    }
  }

  /** Those that a block is for, each with what is wrong with it. */
  take(block: LoggedBlock): [TranslationRequest, string | undefined][] {
    const [pc] = block.boundaries;
    const waiting = pc === undefined ? undefined : this.byPc.get(pc);
    if (pc === undefined || waiting === undefined) return [];
    const taken = this.mode.withInput ? waiting.filter((request) => isFor(block, request)) : waiting;
    this.byPc.set(
      pc,
      waiting.filter((request) => !taken.includes(request)),
    );
    return taken.map((request) => [request, goesOn(block, request)]);
  }
}

/** Whether the block's bytes are the request's, as far as both go. */
function isFor(block: LoggedBlock, { pc, code }: TranslationRequest): boolean {
  return block.instructions.every(({ address, bytes }) => {
    const at = Number(address - pc);
    return bytes.every((byte, i) => at + i >= code.length || code[at + i] === byte);
  });
}

function goesOn(block: LoggedBlock, { pc, code }: TranslationRequest): string | undefined {
  const last = block.boundaries.at(-1) ?? pc;
  const behind = pc + BigInt(code.length);
  if (last < behind && (block.instructions.at(-1)?.bytes.length ?? 2) <= Number(behind - last)) return undefined;
  return "QEMU's block goes on behind the code: end it with a jump, or at the end of a page";
}
