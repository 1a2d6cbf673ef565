/**
 * z3-solver in a worker thread. The thread is started by the first query (350 ms to the first answer, about 110 MB), and
 * keeps the process alive only while a query runs. To cancel is to end the thread.
 */
import { Worker } from "node:worker_threads";
import { EnvironmentFailure } from "../errors.js";
import { compiledModule } from "../module-url.js";
import {
  type Backend,
  GRACE_MS,
  INTERRUPTED,
  killedForTime,
  type Limits,
  nonsense,
  outOfMemory,
  reasonUnknown,
  type Reply,
  type Script,
  speaksOfMemory,
} from "./backend.js";
import type { Request, Response, Words } from "./z3-worker.js";

/** Time for loading and compiling the solver, on top of the first query's own. */
const START_MS = 20_000;

export class Z3Wasm implements Backend {
  readonly name = "z3-wasm";
  private readonly module: URL | undefined;
  private worker: Worker | undefined;
  private started = false;
  private asked = 0;

  /** `module`: what to run in the thread instead of z3-worker.js. */
  constructor(module?: URL) {
    this.module = module;
  }

  async ask(script: Script, limits: Limits): Promise<Reply> {
    if (limits.signal?.aborted === true) return INTERRUPTED;
    const worker = this.worker ?? this.start();
    const deadline = limits.timeoutMs + GRACE_MS + (this.started ? 0 : START_MS);
    const outcome = await converse(worker, request(++this.asked, script, limits), deadline, limits.signal);
    if (typeof outcome === "object" && outcome.kind === "answer") {
      this.started = true;
      return this.read(outcome, limits);
    }
    await this.discard();
    if (outcome === "late") return killedForTime(limits.timeoutMs);
    if (outcome === "aborted") return INTERRUPTED;
    if (outcome.kind === "death" && outcome.allocatedMb >= 0.9 * limits.memoryMb) return outOfMemory(limits.memoryMb);
    throw new EnvironmentFailure(this.name, `the solver's thread died: ${outcome.message}`);
  }

  private start(): Worker {
    const worker = new Worker(this.module ?? compiledModule("./z3-worker.js", import.meta.url), { stdout: true, stderr: true });
    worker.stdout.resume();
    worker.stderr.resume();
    worker.unref();
    // Between queries nobody else listens; a death then is met by the next query, which finds no worker.
    worker.on("error", () => this.forget(worker));
    worker.on("exit", () => this.forget(worker));
    this.worker = worker;
    this.started = false;
    return worker;
  }

  private forget(worker: Worker): void {
    if (this.worker === worker) this.worker = undefined;
  }

  async discard(): Promise<void> {
    const worker = this.worker;
    this.worker = undefined;
    await worker?.terminate();
  }

  private async read(answer: Words, limits: Limits): Promise<Reply> {
    switch (answer.check) {
      case "unsat":
        return { answer: "unsat" };
      case "sat":
        if (!answer.values.startsWith("(error")) return { answer: "sat", values: answer.values };
        break;
      case "unknown":
        if (!answer.reason.startsWith("(error")) return { answer: "unknown", reason: reasonUnknown(answer.reason, limits) };
        break;
    }
    await this.discard();
    const words = [answer.check, answer.values, answer.reason].filter((part) => part !== "").join("\n");
    if (speaksOfMemory(words)) return outOfMemory(limits.memoryMb);
    throw nonsense(this.name, words);
  }
}

function request(id: number, script: Script, limits: Limits): Request {
  return { id, ...script, timeoutMs: Math.max(1, Math.ceil(limits.timeoutMs)), memoryMb: limits.memoryMb };
}

type Outcome = Response | "late" | "aborted" | { readonly kind: "gone"; readonly message: string };

/** One request and its response, or why there is none. Listens only as long as that takes. */
function converse(worker: Worker, message: Request, deadlineMs: number, signal: AbortSignal | undefined): Promise<Outcome> {
  return new Promise((resolve) => {
    const finish = (outcome: Outcome): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      worker.off("message", onMessage);
      worker.off("error", onError);
      worker.off("exit", onExit);
      worker.unref();
      resolve(outcome);
    };
    const onAbort = (): void => finish("aborted");
    const onMessage = (response: unknown): void =>
      finish(isResponse(response, message.id) ? response : { kind: "gone", message: "it sent what is no response" });
    const onError = (error: unknown): void =>
      finish({ kind: "gone", message: error instanceof Error ? error.message : String(error) });
    const onExit = (code: number): void => finish({ kind: "gone", message: `it ended with code ${code}` });
    const timer = setTimeout(() => finish("late"), deadlineMs);
    signal?.addEventListener("abort", onAbort);
    worker.on("message", onMessage);
    worker.on("error", onError);
    worker.on("exit", onExit);
    worker.ref();
    worker.postMessage(message);
  });
}

function isResponse(value: unknown, id: number): value is Response {
  if (typeof value !== "object" || value === null || !("kind" in value)) return false;
  if (!("id" in value) || value.id !== id) return false;
  if (value.kind === "death") return "message" in value && "allocatedMb" in value && typeof value.allocatedMb === "number";
  return (
    value.kind === "answer" &&
    "check" in value &&
    typeof value.check === "string" &&
    "values" in value &&
    typeof value.values === "string" &&
    "reason" in value &&
    typeof value.reason === "string"
  );
}
