/**
 * Who carries out the tasks: this thread, or a pool of worker threads.
 */
import { MessageChannel } from "node:worker_threads";
import { Tinypool } from "tinypool";
import { EnvironmentFailure } from "../errors.js";
import { compiledModule } from "../module-url.js";
import { Executor, type OnFound, type OnProgress, type Reply, type Request } from "./executor.js";
import type { Load } from "./options.js";
import type { Settled } from "./report.js";

export interface Crew {
  readonly size: number;
  /** Rejects if the worker died, or with the signal's reason once that is aborted. */
  run(request: Request, signal: AbortSignal, onProgress: OnProgress, onFound?: OnFound): Promise<Reply>;
  close(): Promise<void>;
}

/** One task at a time, here: `signal` is heeded between queries. */
export class OwnThread implements Crew {
  readonly size = 1;
  private readonly executor: Executor;

  constructor(load: Load) {
    this.executor = new Executor(load);
  }

  run(request: Request, signal: AbortSignal, onProgress: OnProgress, onFound?: OnFound): Promise<Reply> {
    return this.executor.run(request, signal, onProgress, onFound);
  }

  close(): Promise<void> {
    return this.executor.close();
  }
}

/** A worker that needs more has lost its way; the task is then unknown. */
const HEAP_MB = 4096;

/** `size` worker threads; an aborted task's worker is terminated and replaced. */
export class Workers implements Crew {
  readonly size: number;
  private readonly pool: Tinypool;

  constructor(size: number, module: URL = compiledModule("./worker.js", import.meta.url)) {
    this.size = size;
    this.pool = new Tinypool({
      filename: module.href,
      runtime: "worker_threads",
      minThreads: size,
      maxThreads: size,
      concurrentTasksPerWorker: 1,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
  }

  async run(request: Request, signal: AbortSignal, onProgress: OnProgress, onFound?: OnFound): Promise<Reply> {
    const { port1, port2 } = new MessageChannel();
    const died = new AbortController();
    port1.on("message", (message: [number, number] | Settled) => {
      if (Array.isArray(message)) onProgress(...message);
      else onFound?.(message);
    });
    // The pool does not notice a worker that exits by itself, but its end of the channel closes with it.
    port1.on("close", () => died.abort());
    try {
      const stop = AbortSignal.any([signal, died.signal]);
      return await this.pool.run({ request, port: port2 }, { signal: stop, transferList: [port2] });
    } catch (error) {
      throw died.signal.aborted && !signal.aborted
        ? new EnvironmentFailure("worker", "exited in the middle of a task")
        : error;
    } finally {
      port1.removeAllListeners("close");
      // What was said before the end may not have been heard yet: it is by the second turn of the event loop.
      for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
      port1.close();
    }
  }

  async close(): Promise<void> {
    await this.pool.destroy();
  }
}
