/** A GDB stub that is started here, or runs already: from its description in a refinement file to a connection. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { EnvironmentFailure } from "../../errors.js";
import { excerpt } from "../../process/document.js";
import type { StubSource } from "../../refinement.js";
import { Connection } from "./connection.js";

/** Another stub is started where one ends before anyone could connect: someone else may have taken its port. */
const MOST_STARTS = 3;
const RETRY_MS = 20;
/** Of one attempt to connect while the stub starts. */
const CONNECT_MS = 1000;
/** Characters that are kept of what it says. */
const LONGEST_COMPLAINT = 4096;

export interface RunningStub {
  readonly connection: Connection;
  close(): Promise<void>;
}

/** `file` is the program that the command names; `program` what stands for `{program}` in it. */
export async function startStub(
  source: StubSource,
  command: readonly string[],
  file: string,
  program: Uint8Array,
  signal: AbortSignal,
): Promise<RunningStub> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "commute-gdb-"));
  const elf = path.join(folder, "program");
  try {
    await writeFile(elf, program, { mode: 0o755 });
    for (let starts = 1; ; starts++) {
      const socket = path.join(folder, `socket-${starts}`);
      const port = command.some((word) => word.includes("{port}")) ? await freePort() : undefined;
      const words = command.map((word) =>
        word.replaceAll("{program}", elf).replaceAll("{port}", String(port)).replaceAll("{socket}", socket),
      );
      const address = source.address ?? (port === undefined ? socket : `127.0.0.1:${port}`);
      const stub = new StubProcess(file, words, source.directory);
      const connection = await stub.connect({ ...source, address }, signal);
      if (typeof connection !== "string")
        return {
          connection,
          close: async () => {
            connection.close();
            await stub.kill();
            await rm(folder, { recursive: true, force: true });
          },
        };
      await stub.kill();
      if (starts === MOST_STARTS || port === undefined)
        throw new EnvironmentFailure(words[0] ?? "the stub", connection);
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** A stub that runs already; undefined where nobody listens. */
export async function attachStub(source: StubSource, signal: AbortSignal): Promise<RunningStub | undefined> {
  const address = source.address ?? "";
  const peer = { name: `the stub at ${address}`, address, timeoutMs: source.timeoutMs };
  const connection = await Connection.open(peer, signal);
  return connection === undefined ? undefined : { connection, close: async () => connection.close() };
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

class StubProcess {
  private readonly child: ChildProcess;
  private readonly name: string;
  private readonly exited: Promise<void>;
  private complaint = "";
  private ended: string | undefined;

  constructor(file: string, command: readonly string[], directory: string) {
    this.name = command[0] ?? file;
    this.child = spawn(file, command.slice(1), { cwd: directory, stdio: ["ignore", "pipe", "pipe"] });
    const listen = (chunk: Buffer): void => {
      if (this.complaint.length < LONGEST_COMPLAINT) this.complaint += chunk.toString();
    };
    this.child.stdout?.on("data", listen);
    this.child.stderr?.on("data", listen);
    this.exited = new Promise((resolve) => {
      this.child.on("close", (code, by) => {
        this.ended ??= by === null ? `it exited with ${code}` : `it was ended by ${by}`;
        resolve();
      });
      this.child.on("error", (error) => {
        this.ended ??= error.message;
        resolve();
      });
    });
  }

  /** The connection, or why there is none. */
  async connect(source: StubSource & { readonly address: string }, signal: AbortSignal): Promise<Connection | string> {
    const { address, timeoutMs } = source;
    const isSocket = address.includes("/");
    const until = performance.now() + timeoutMs;
    while (performance.now() < until) {
      signal.throwIfAborted();
      if (this.ended !== undefined) return this.failure(`${this.ended} before anyone could connect`);
      const peer = { name: this.name, address, timeoutMs: Math.min(CONNECT_MS, timeoutMs) };
      const opened = isSocket && !existsSync(address) ? undefined : await Connection.open(peer, signal);
      if (opened !== undefined) return opened.withTimeout(timeoutMs);
      await pause(RETRY_MS);
    }
    return this.failure(`nothing listens at ${address} after ${timeoutMs} ms`);
  }

  private failure(reason: string): string {
    const said = excerpt(this.complaint);
    return said === "" ? reason : `${reason} (it said: ${said})`;
  }

  async kill(): Promise<void> {
    if (this.ended === undefined) this.child.kill("SIGKILL");
    await this.exited;
  }
}
