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

/** Time for loading and compiling the solver, of a busy machine too. */
const START_MS = 30_000;

export class Z3Wasm implements Backend {
  readonly name = "z3-wasm";
  private readonly module: URL | undefined;
  private readonly startMs: number;
  private worker: Worker | undefined;
  private asked = 0;

  /** `module`: what to run in the thread instead of z3-worker.js; `startMs`: how long it may take to be ready. */
  constructor(module?: URL, startMs = START_MS) {
    this.module = module;
    this.startMs = startMs;
  }

  async ask(script: Script, limits: Limits): Promise<Reply> {
    if (limits.signal?.aborted === true) return INTERRUPTED;
    const worker = this.worker ?? (await this.start(limits.signal));
    if (worker === "aborted") return INTERRUPTED;
    const request: Request = {
      ...script,
      id: ++this.asked,
      timeoutMs: Math.max(1, Math.ceil(limits.timeoutMs)),
      memoryMb: limits.memoryMb,
    };
    const reception = receive(worker, limits.timeoutMs + GRACE_MS, limits.signal);
    worker.postMessage(request);
    const { event, message } = await reception;
    if (event === "message" && isResponse(message, request.id)) {
      if (message.kind === "answer") return this.read(message, limits);
      await this.discard();
      if (message.allocatedMb >= 0.9 * limits.memoryMb) return outOfMemory(limits.memoryMb);
      throw this.death(message.message);
    }
    await this.discard();
    if (event === "late") return killedForTime(limits.timeoutMs);
    if (event === "aborted") return INTERRUPTED;
    throw event === "message" ? nonsense(this.name, JSON.stringify(message) ?? "") : this.death(String(message));
  }

  async discard(): Promise<void> {
    const worker = this.worker;
    this.worker = undefined;
    await worker?.terminate();
  }

  /** A thread that has said it is ready. */
  private async start(signal: AbortSignal | undefined): Promise<Worker | "aborted"> {
    const module = this.module ?? compiledModule("./z3-worker.js", import.meta.url);
    // What the solver prints goes nowhere; reading it would keep the process alive.
    // Options of this process (--input-type, --import) are not for the thread.
    const worker = new Worker(module, { stdout: true, stderr: true, execArgv: [] });
    this.worker = worker;
    // Between queries nobody else listens; the next query then finds no worker and starts one.
    const forget = (): void => {
      if (this.worker === worker) this.worker = undefined;
    };
    worker.on("error", forget);
    worker.on("exit", forget);
    const { event, message } = await receive(worker, this.startMs, signal);
    if (event === "message" && isReady(message)) return worker;
    await worker.terminate();
    if (event === "aborted") return event;
    if (event === "late") throw new EnvironmentFailure(this.name, `the solver did not start within ${this.startMs} ms`);
    throw event === "message" ? nonsense(this.name, JSON.stringify(message) ?? "") : this.death(String(message));
  }

  private async read(answer: Words, limits: Limits): Promise<Reply> {
    switch (answer.check) {
      case "unsat":
        return { answer: "unsat" };
      case "sat":
        if (!answer.values.startsWith("(error")) return { answer: "sat", values: answer.values };
        break;
      case "unknown":
        if (!answer.reason.startsWith("(error"))
          return { answer: "unknown", reason: reasonUnknown(answer.reason, limits) };
        break;
    }
    await this.discard();
    const words = [answer.check, answer.values, answer.reason].filter((part) => part !== "").join("\n");
    if (speaksOfMemory(words)) return outOfMemory(limits.memoryMb);
    throw nonsense(this.name, words);
  }

  private death(message: string): EnvironmentFailure {
    return new EnvironmentFailure(this.name, `the solver's thread died: ${message}`);
  }
}

type Reception =
  | { readonly event: "message"; readonly message: unknown }
  /** The thread ended; the message says how. */
  | { readonly event: "gone"; readonly message: string }
  | { readonly event: "late" | "aborted"; readonly message: undefined };

/** The next message of `worker`, or why there is none. Keeps the process alive only as long as that takes. */
function receive(worker: Worker, deadlineMs: number, signal: AbortSignal | undefined): Promise<Reception> {
  return new Promise((resolve) => {
    const finish = (reception: Reception): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      worker.off("message", onMessage);
      worker.off("error", onError);
      worker.off("exit", onExit);
      worker.unref();
      resolve(reception);
    };
    const onAbort = (): void => finish({ event: "aborted", message: undefined });
    const onMessage = (message: unknown): void => finish({ event: "message", message });
    const onError = (error: unknown): void =>
      finish({ event: "gone", message: error instanceof Error ? error.message : String(error) });
    const onExit = (code: number): void => finish({ event: "gone", message: `it ended with code ${code}` });
    const timer = setTimeout(() => finish({ event: "late", message: undefined }), deadlineMs);
    signal?.addEventListener("abort", onAbort);
    worker.on("message", onMessage);
    worker.on("error", onError);
    worker.on("exit", onExit);
    worker.ref();
  });
}

function isReady(value: unknown): boolean {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "ready";
}

function isResponse(value: unknown, id: number): value is Response {
  if (typeof value !== "object" || value === null || !("kind" in value)) return false;
  if (!("id" in value) || value.id !== id) return false;
  if (value.kind === "death") {
    return (
      "message" in value &&
      typeof value.message === "string" &&
      "allocatedMb" in value &&
      typeof value.allocatedMb === "number"
    );
  }
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
