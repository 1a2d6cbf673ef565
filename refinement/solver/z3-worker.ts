/**
 * The worker thread in which z3-solver (WebAssembly) runs. One query at a time, each after `(reset)`.
 *
 * `Z3_eval_smtlib2_string` is called synchronously: the asynchronous wrapper frees its string before the solver's thread
 * has read it. After an `(error` an instance may give wrong answers, so the owner of this thread ends it then.
 */
import { createRequire } from "node:module";
import { parentPort } from "node:worker_threads";
import { init, type Z3_context } from "z3-solver/build/low-level/index.js";

export interface Request {
  /** Repeated in the response. */
  readonly id: number;
  readonly check: string;
  readonly values: string | undefined;
  readonly timeoutMs: number;
  readonly memoryMb: number;
}

/** The solver's words, unread. */
export interface Words {
  readonly kind: "answer";
  readonly id: number;
  readonly check: string;
  readonly values: string;
  readonly reason: string;
}

/** How the instance died. */
export interface Death {
  readonly kind: "death";
  readonly id: number;
  readonly message: string;
  readonly allocatedMb: number;
}

/** Sent once, when the solver is loaded. */
export interface Ready {
  readonly kind: "ready";
}

export type Response = Words | Death;

/** What is used of Emscripten's module object. */
interface Emscripten {
  readonly HEAPU8: Uint8Array;
  readonly _malloc: (bytes: number) => number;
  readonly _free: (pointer: number) => void;
  readonly UTF8ToString: (pointer: number) => string;
  readonly _Z3_eval_smtlib2_string: (context: Z3_context, text: number) => number;
  readonly _Z3_get_estimated_alloc_size: () => bigint | number;
}

async function main(): Promise<void> {
  const port = parentPort;
  if (port === null) return;
  const { em, Z3 } = await init(createRequire(import.meta.url)("z3-solver/build/z3-built.js"), {
    print: () => undefined,
    printErr: () => undefined,
  });
  const module: Emscripten = em;
  const context = Z3.mk_context(Z3.mk_config());

  const evaluate = (text: string): string => {
    const bytes = new TextEncoder().encode(`${text}\0`);
    const pointer = module._malloc(bytes.length);
    module.HEAPU8.set(bytes, pointer);
    const answer = module.UTF8ToString(module._Z3_eval_smtlib2_string(context, pointer));
    module._free(pointer);
    return answer.trim();
  };

  const answer = (request: Request): Words => {
    Z3.global_param_set("memory_max_size", String(request.memoryMb));
    const check = evaluate(`(reset)\n(set-option :timeout ${request.timeoutMs})\n${request.check}`);
    const values = check === "sat" && request.values !== undefined ? evaluate(request.values) : "";
    const reason = check === "unknown" ? evaluate("(get-info :reason-unknown)") : "";
    return { kind: "answer", id: request.id, check, values, reason };
  };

  port.on("message", (request: Request) => {
    let response: Response;
    try {
      response = answer(request);
    } catch (error) {
      const allocatedMb = Number(module._Z3_get_estimated_alloc_size()) / 2 ** 20;
      const message = error instanceof Error ? error.message : String(error);
      response = { kind: "death", id: request.id, message, allocatedMb };
    }
    port.postMessage(response);
  });
  const ready: Ready = { kind: "ready" };
  port.postMessage(ready);
}

await main();
