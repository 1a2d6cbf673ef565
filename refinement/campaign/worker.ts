/** A worker thread of a campaign: carries out one task at a time, with refinements and solver kept between tasks. */
import type { MessagePort } from "node:worker_threads";
import { Executor, loadAgain, type Reply, type Request } from "./executor.js";

const executor = new Executor(loadAgain);

/** `port` is told of progress as `[done, total]`, and of what is found on the way; it closes when this thread ends. */
export default function work({ request, port }: { request: Request; port: MessagePort }): Promise<Reply> {
  return executor.run(
    request,
    undefined,
    (done, total) => port.postMessage([done, total]),
    (settled) => port.postMessage(settled),
  );
}
