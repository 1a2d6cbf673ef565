/** A connection to a GDB stub: a packet out, a packet in. Whatever goes wrong ends it. */
import net from "node:net";
import { EnvironmentFailure } from "../../errors.js";
import { type Heard, packet, PacketReader } from "./packets.js";

/** How often a packet is sent again, in either direction, before the line is given up. */
const MOST_REPEATS = 3;

export interface Peer {
  /** As messages name it. */
  readonly name: string;
  /** `host:port`, or the path of a socket. */
  readonly address: string;
  /** Milliseconds to connect, and for an answer. */
  readonly timeoutMs: number;
}

export class Connection {
  private readonly socket: net.Socket;
  private readonly peer: Peer;
  private timeoutMs: number;
  private readonly reader = new PacketReader();
  private ended: string | undefined;
  private wake: () => void = () => undefined;

  private constructor(socket: net.Socket, peer: Peer) {
    this.socket = socket;
    this.peer = peer;
    this.timeoutMs = peer.timeoutMs;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.reader.push(chunk);
      this.wake();
    });
    const end = (how: string): void => {
      this.ended ??= how;
      this.wake();
    };
    socket.on("error", (error) => end(error.message));
    socket.on("close", () => end("it closed the connection"));
  }

  /** Undefined where nobody listens. */
  static async open(peer: Peer, signal: AbortSignal): Promise<Connection | undefined> {
    signal.throwIfAborted();
    const socket = net.connect(endpoint(peer.address));
    let abort = (): void => undefined;
    const connected = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), peer.timeoutMs);
      const done = (answer: boolean) => (): void => {
        clearTimeout(timer);
        resolve(answer);
      };
      abort = done(false);
      signal.addEventListener("abort", abort, { once: true });
      socket.once("connect", done(true));
      socket.once("error", done(false));
    });
    signal.removeEventListener("abort", abort);
    if (connected && !signal.aborted) return new Connection(socket, peer);
    socket.on("error", () => undefined);
    socket.destroy();
    signal.throwIfAborted();
    return undefined;
  }

  /** The same, with another limit for answers. */
  withTimeout(timeoutMs: number): this {
    this.timeoutMs = timeoutMs;
    return this;
  }

  /** Sends a packet and waits for the one that answers it. */
  async ask(payload: string, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    for (let heard = this.reader.next(); heard !== undefined; heard = this.reader.next())
      if (heard.kind !== "ack") throw this.failed("it says something unasked");
    return this.exchange(packet(payload), payload, signal);
  }

  /** Waits for one more packet. */
  receive(after: string, signal: AbortSignal): Promise<string> {
    return this.exchange(undefined, after, signal);
  }

  private async exchange(sent: Uint8Array | undefined, payload: string, signal: AbortSignal): Promise<string> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.wake();
    }, this.timeoutMs);
    const abort = (): void => this.wake();
    signal.addEventListener("abort", abort, { once: true });
    try {
      if (sent !== undefined && this.ended === undefined) this.socket.write(sent);
      for (let repeats = 0; ; ) {
        const heard = await this.heard(() => late, signal);
        switch (heard.kind) {
          case "ack":
            continue;
          case "packet":
            this.socket.write("+");
            return heard.payload;
          case "nack":
          case "damaged":
            if (++repeats > MOST_REPEATS)
              throw this.failed(
                heard.kind === "nack" ? "it refuses packet after packet" : "its packets have wrong checksums",
              );
            if (heard.kind === "damaged") this.socket.write("-");
            else if (sent !== undefined) this.socket.write(sent);
            continue;
          case "garbage":
            throw this.failed(`it sends ${heard.reason}`);
          default:
            return heard satisfies never;
        }
      }
    } catch (error) {
      this.close();
      if (error instanceof EnvironmentFailure)
        throw new EnvironmentFailure(
          error.what,
          `${error.message.slice(error.what.length + 2)}, asked ${shown(payload)}`,
        );
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  private async heard(late: () => boolean, signal: AbortSignal): Promise<Heard> {
    for (;;) {
      signal.throwIfAborted();
      const heard = this.reader.next();
      if (heard !== undefined) return heard;
      if (this.ended !== undefined) throw this.failed(this.ended);
      if (late()) throw this.failed(`no answer within ${this.timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** What the stub did wrong, as an error. */
  failed(reason: string): EnvironmentFailure {
    return new EnvironmentFailure(this.peer.name, reason);
  }

  close(): void {
    this.ended ??= "the connection is closed";
    this.socket.destroy();
  }
}

function endpoint(address: string): net.NetConnectOpts {
  const [, host = "", port] = /^(.*):(\d+)$/.exec(address) ?? [];
  if (port === undefined) return { path: address };
  return { host: host === "" ? "127.0.0.1" : host.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
}

const LONGEST_SHOWN = 40;

function shown(payload: string): string {
  return payload.length > LONGEST_SHOWN ? `${payload.slice(0, LONGEST_SHOWN)}…` : payload;
}
