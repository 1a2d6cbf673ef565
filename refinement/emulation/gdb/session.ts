/** One run of a stub: cases in it, one after the other. */
import type { EmulatorCase, Seen } from "../../emulator.js";
import { zeroState } from "../../execute/concrete.js";
import type { State } from "../../execute/state.js";
import { type Architecture, SIGNALS } from "../../gdb.js";
import type { Machine } from "../../machine.js";
import type { RoomPart, RoomSource, StubSource } from "../../refinement.js";
import { MemoryValue, type Value } from "../../terms/value.js";
import { patternOf } from "../room.js";
import type { Connection } from "./connection.js";
import { describedRegisters } from "./description.js";
import { PAGE } from "./program.js";
import { RegisterMap, Registers } from "./registers.js";
import type { RunningStub } from "./stub.js";

export interface Setting {
  readonly guest: Machine;
  readonly source: StubSource;
  readonly room: RoomSource;
  readonly architecture: Architecture;
  /** Where our own instruction stands, if the stub runs our program. */
  readonly toucher: bigint | undefined;
}

const SIGTRAP = 5;
/** Packets of output between a step and its end. */
const MOST_OUTPUT = 1024;
/** Bytes of a packet, where the stub does not say how many it takes. */
const PACKET_SIZE = 400;
/** Unchanged bytes between changed ones that are written all the same, rather than with another packet. */
const GAP = 16;

/** A part of the room that holds something, and what the stub has there. */
interface Held {
  readonly part: RoomPart;
  readonly pattern: Uint8Array;
  bytes: Uint8Array;
  /** The stub refuses to write there unless the guest has. */
  refuses: boolean;
}

export class Session {
  private readonly stub: RunningStub;
  private readonly setting: Setting;
  private readonly registers: Registers;
  /** Bytes of memory for each packet. */
  private readonly piece: number;
  private readonly held: readonly Held[];
  private readonly zero: State;

  private constructor(stub: RunningStub, setting: Setting, registers: Registers, piece: number, held: readonly Held[]) {
    this.stub = stub;
    this.setting = setting;
    this.registers = registers;
    this.piece = piece;
    this.held = held;
    this.zero = zeroState(setting.guest);
  }

  static async open(stub: RunningStub, setting: Setting, signal: AbortSignal): Promise<Session> {
    const { connection } = stub;
    const { guest, source, room, architecture } = setting;
    const supported = await connection.ask("qSupported:swbreak+;hwbreak+", signal);
    const size = Number.parseInt(
      /(?:^|;)PacketSize=([0-9a-fA-F]+)/.exec(supported)?.[1] ?? PACKET_SIZE.toString(16),
      16,
    );
    const piece = Math.max(16, Math.min(2048, Math.floor((size - 32) / 2)));
    const stopped = await connection.ask("?", signal);
    if (!/^[ST]/.test(stopped)) throw connection.failed(`it has no program that is stopped: ${stopped.slice(0, 20)}`);
    const map = new RegisterMap(
      guest,
      source,
      room.hidden,
      architecture,
      await describedRegisters(connection, supported, signal),
    );
    const held: Held[] = [];
    for (const part of room.parts.filter((p) => p.access.length > 0))
      held.push({
        part,
        pattern: patternOf(part.start, Number(part.end - part.start)),
        bytes: await read(connection, part, piece, signal),
        refuses: false,
      });
    return new Session(stub, setting, await Registers.open(connection, map, signal), piece, held);
  }

  async step(c: EmulatorCase, signal: AbortSignal): Promise<Seen> {
    await this.prepareMemory(c, signal);
    await this.registers.write(c.state, signal);
    const stopped = await this.resume(signal);
    const shown = await this.registers.read(this.zero, signal);
    for (const [name, memory] of await this.memoryAfter(c, signal)) shown.set(name, memory);
    return this.seen(stopped, shown);
  }

  /** One instruction; the number of the signal that stops it. */
  private async resume(signal: AbortSignal): Promise<number> {
    const { connection } = this.stub;
    let answer = await connection.ask("s", signal);
    if (answer === "") answer = await connection.ask("vCont;s", signal);
    for (let outputs = 0; answer.startsWith("O") && answer !== "OK"; outputs++) {
      if (outputs === MOST_OUTPUT) throw connection.failed("it writes output without end");
      answer = await connection.receive("s", signal);
    }
    const [, number] = /^[ST]([0-9a-fA-F]{2})/.exec(answer) ?? [];
    if (number === undefined)
      throw connection.failed(
        /^[WX]/.test(answer)
          ? `its program ended (${answer.slice(0, 20)}) at a single step`
          : `it answers a single step with ${answer.slice(0, 20) || "nothing that it knows"}`,
      );
    return Number.parseInt(number, 16);
  }

  /** A step that comes to its end stops with SIGTRAP, and so may a trap: both are possible. */
  private seen(stopped: number, shown: ReadonlyMap<string, Value>): Seen {
    const { guest, source } = this.setting;
    const name = [...SIGNALS].find(([, n]) => n === stopped)?.[0] ?? `signal ${stopped}`;
    const traps = source.signals.get(name) ?? [];
    const has = (variable: string): boolean => guest.variables.some((v) => v.name === variable);
    const either: State[] = [];
    if (stopped === SIGTRAP)
      either.push(
        new Map([...shown, ...["trap", "trap.value"].flatMap((v): [string, Value][] => (has(v) ? [[v, 0n]] : []))]),
      );
    for (const trap of guest.traps) {
      // The trap's value is nothing that a stub tells.
      if (traps.includes(trap.name)) either.push(new Map([...shown, ["trap", BigInt(trap.code)]]));
    }
    if (either.length === 0)
      throw this.stub.connection.failed(`it stops with ${name}, for which \`signals\` names no trap`);
    return { either };
  }

  private async prepareMemory({ patches }: EmulatorCase, signal: AbortSignal): Promise<void> {
    for (const held of this.held) {
      const { start, end } = held.part;
      const wanted = Uint8Array.from(held.pattern);
      for (const { address, bytes } of patches)
        bytes.forEach((byte, i) => {
          const at = address + BigInt(i);
          if (at >= start && at < end) wanted[Number(at - start)] = byte;
        });
      for (const [from, to] of changes(held.bytes, wanted))
        for (let at = from; at < to; at += this.piece)
          await this.put(held, at, wanted.subarray(at, Math.min(to, at + this.piece)), signal);
      held.bytes = wanted;
    }
  }

  private async put(held: Held, at: number, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const { connection } = this.stub;
    const address = held.part.start + BigInt(at);
    const payload = `M${address.toString(16)},${bytes.length.toString(16)}:${Buffer.from(bytes).toString("hex")}`;
    for (const touched of [held.refuses, true]) {
      if (touched) await this.touch(address, bytes.length, signal);
      const answer = await connection.ask(payload, signal);
      if (answer === "OK") return;
      if (touched || this.setting.toucher === undefined)
        throw connection.failed(
          `it does not write memory at 0x${address.toString(16)} (${answer || "no such packet"}); QEMU's user mode refuses to where instructions have been executed, unless it runs the program that \`{program}\` stands for`,
        );
      held.refuses = true;
    }
  }

  /** The guest itself stores a byte on each page; what it stores is overwritten at once. */
  private async touch(address: bigint, size: number, signal: AbortSignal): Promise<void> {
    const { toucher, architecture } = this.setting;
    if (toucher === undefined) return;
    const counter =
      this.setting.guest.instructionSet?.programCounter ?? this.setting.guest.decoded?.programCounter ?? "pc";
    for (let page = address & -PAGE; page < address + BigInt(size); page += PAGE) {
      const target = page < address ? address : page;
      const values = new Map([
        [counter, toucher],
        [architecture.toucher.register, target],
      ]);
      await this.registers.writeNamed(values, signal);
      const stopped = await this.resume(signal);
      if (stopped !== SIGTRAP)
        throw this.stub.connection.failed(`a store to 0x${target.toString(16)} stops with signal ${stopped}`);
    }
  }

  /** The case's memory with what the stub has now. */
  private async memoryAfter(c: EmulatorCase, signal: AbortSignal): Promise<Map<string, MemoryValue>> {
    const after = new Map<string, MemoryValue>();
    for (const [name, value] of c.state) {
      if (!(value instanceof MemoryValue)) continue;
      let memory = value;
      for (const held of this.held) {
        const now = await read(this.stub.connection, held.part, this.piece, signal);
        for (const [from, to] of changes(held.bytes, now))
          memory = memory.storeBytes(held.part.start + BigInt(from), now.subarray(from, to));
        held.bytes = now;
      }
      after.set(name, memory);
    }
    return after;
  }

  close(): Promise<void> {
    return this.stub.close();
  }
}

async function read(
  connection: Connection,
  { start, end }: RoomPart,
  piece: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const size = Number(end - start);
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += piece) {
    const length = Math.min(piece, size - at);
    const address = (start + BigInt(at)).toString(16);
    const answer = await connection.ask(`m${address},${length.toString(16)}`, signal);
    if (answer.length !== 2 * length || !/^[0-9a-fA-F]*$/.test(answer))
      throw connection.failed(`it does not give the ${length} bytes of memory at 0x${address}: ${answer.slice(0, 20)}`);
    bytes.set(Buffer.from(answer, "hex"), at);
  }
  return bytes;
}

/** Runs of indices in which the two differ. */
function* changes(a: Uint8Array, b: Uint8Array): Generator<readonly [number, number]> {
  let from = -1;
  let to = -1;
  for (let i = 0; i < a.length; i++) {
    if (a[i] === b[i]) continue;
    if (from >= 0 && i - to > GAP) {
      yield [from, to];
      from = -1;
    }
    if (from < 0) from = i;
    to = i + 1;
  }
  if (from >= 0) yield [from, to];
}
