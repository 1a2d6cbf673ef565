/**
 * The translator at work: guest programs run as translated code on a simulator of the host. The dispatcher finds or makes the block for the
 * guest's program counter and enters it; blocks leave to the dispatcher, or by a chain into each other, until a trap, an interrupt or the
 * end of the steps. Whenever the host comes back from a block, the context and memory have the whole of the guest's state.
 */
import { DecodedSimulator } from "../../../refinement/compile/decoded-simulator.js";
import { InternalDefect, unreachable } from "../../../refinement/errors.js";
import { type Engine, EngineFailure, type EngineMemory, type RunOutcome } from "../../../refinement/execute/engine.js";
import type { Decode } from "../../../refinement/execute/decoded.js";
import type { Machine } from "../../../refinement/machine.js";
import type { Access } from "../../../refinement/terms/term.js";
import { termOf } from "../../../refinement/translation/quantity.js";
import { FileValue, MemoryValue, type Value } from "../../../refinement/terms/value.js";
import { BlockTranslator, LONGEST } from "../block.js";
import { CONTEXT_SIZE } from "../context.js";
import { DESIGN, type Design } from "../design.js";
import type { CodeCache, CachedBlock, CachedExit } from "./code-cache.js";
import { Context } from "./context.js";
import { GuestMemory } from "./guest-memory.js";
import { Interpreter, type Trap } from "./interpreter.js";
import { CACHE, CONTEXT_ADDRESS, DISPATCHER, GUEST_END, PAGE, pageOf, STACK } from "./layout.js";

/** Bytes of the longest guest instruction. */
const WORD = 4;
/** Host instructions in which a block comes to its end, whatever it is; more is a defect. */
const ENDLESS = 100_000;
/** No block's code is longer, in bytes. */
const ROOM = 1 << 16;

/** How a stretch in translated code ended: at an exit, in an instruction that the guest has to be asked about, or not yet. */
type Left =
  | { readonly kind: "exit"; readonly exit: CachedExit }
  | { readonly kind: "fault" }
  | { readonly kind: "limit" };

export class Runtime implements Engine {
  private readonly guest: Machine;
  private readonly blocks: BlockTranslator;
  private readonly host: DecodedSimulator;
  private readonly cache: CodeCache;
  private readonly context: Context;
  private readonly guestMemory: GuestMemory;
  private readonly interpreter: Interpreter;
  private trap: Trap;
  private interpreted = 0;

  constructor(guest: Machine, host: Machine, decode: Decode, design: Design = DESIGN) {
    const set = guest.instructionSet;
    if (set === undefined) throw new InternalDefect(`${guest.name} has no instructions`);
    this.guest = guest;
    this.blocks = new BlockTranslator(guest, set, design);
    this.host = new DecodedSimulator(host, decode);
    const memory = this.host.memory("mem");
    this.cache = new design.CodeCache(memory);
    this.context = new Context(memory);
    this.guestMemory = new GuestMemory(memory, (address) => this.invalidate(address));
    this.interpreter = new Interpreter(guest, this.context, this.guestMemory);
    this.load(MemoryValue.empty(64));
  }

  /** Instructions of the host's, and those of the guest's that were interpreted. */
  get steps(): number {
    return this.host.steps + this.interpreted;
  }

  /** How many blocks are in the cache. */
  get blockCount(): number {
    return this.cache.size;
  }

  // ---- the guest's state

  read(name: string): Value {
    switch (name) {
      case "mem":
        return this.guestMemory.value();
      case "x":
        return new FileValue(Array.from({ length: 32 }, (_, i) => this.context.x(i)));
      default:
        return this.scalar(name);
    }
  }

  scalar(name: string): bigint {
    switch (name) {
      case "pc":
        return this.context.pc;
      case "reservation.valid":
        return this.context.reserved ? 1n : 0n;
      case "reservation.address":
        return this.context.reservation;
      case "trap":
        return this.trap?.code ?? 0n;
      case "trap.value":
        return this.trap?.value ?? 0n;
      default:
        throw new InternalDefect(`the guest has no ${name}`);
    }
  }

  write(name: string, value: Value): void {
    if (value instanceof MemoryValue) {
      this.load(value);
    } else if (value instanceof FileValue) {
      for (const [i, element] of value.elements.entries()) this.setElement(name, i, element);
    } else {
      this.writeScalar(name, value);
    }
  }

  private writeScalar(name: string, value: bigint): void {
    switch (name) {
      case "pc":
        this.context.pc = value;
        break;
      case "reservation.valid":
        this.context.reserved = value !== 0n;
        break;
      case "reservation.address":
        this.context.reservation = value;
        break;
      case "trap":
        this.trap = value === 0n ? undefined : { code: value, value: this.trap?.value ?? 0n };
        break;
      case "trap.value":
        if (this.trap !== undefined) this.trap = { ...this.trap, value };
        break;
      default:
        throw new InternalDefect(`the guest has no ${name}`);
    }
  }

  element(_file: string, index: number): bigint {
    return this.context.x(index);
  }

  setElement(_file: string, index: number, value: bigint): void {
    if (index > 0) this.context.setX(index, value);
  }

  memory(_name: string): EngineMemory {
    return this.guestMemory;
  }

  /** The guest's memory anew, and nothing translated of it yet. */
  private load(guest: MemoryValue): void {
    const { context } = this;
    const x = Array.from({ length: 32 }, (_, i) => context.x(i));
    const { pc, reserved, reservation } = context;
    this.cache.clear();
    this.guestMemory.load(guest);
    const own = new Map([
      [CACHE.address, { size: CACHE.size, grants: ["fetch"] }],
      [CONTEXT_ADDRESS, { size: BigInt(CONTEXT_SIZE), grants: ["load", "store"] }],
      [STACK.top - STACK.size, { size: STACK.size + PAGE, grants: ["load", "store"] }],
    ]);
    const permissions = (access: Access, address: bigint): boolean => {
      if (address < GUEST_END) return this.guestMemory.hostMay(access, address);
      for (const [first, { size, grants }] of own)
        if (address >= first && address < first + size) return grants.includes(access);
      return false;
    };
    const granularity = guest.permissions.granularity ?? 1;
    this.host.write(
      "mem",
      guest.withPermissions(Object.assign(permissions, { granularity: Math.min(granularity, Number(PAGE)) })),
    );
    for (const [i, value] of x.entries()) context.setX(i, value);
    Object.assign(context, { pc, reserved, reservation });
    this.host.memory("mem").write(STACK.top, 8, DISPATCHER);
  }

  // ---- running it

  /** The guest's next block leaves at once, to have an interrupt taken. */
  interrupt(): void {
    this.context.interrupt = true;
  }

  run(maxSteps: number): RunOutcome {
    const began = this.steps;
    let from: CachedExit | undefined;
    if (this.trap !== undefined) return { reason: "stuck", steps: 0 };
    for (;;) {
      const left = maxSteps - (this.steps - began);
      if (left <= 0 || this.context.interrupt) return this.ended("limit", began);
      const block = this.blockAt(this.context.pc);
      if (block === undefined) {
        if (this.interpret()) return this.ended("trap", began);
        continue;
      }
      if (from !== undefined) this.cache.follow(from, block);
      from = undefined;
      const end = this.enter(block, left);
      if (end.kind === "fault") {
        if (this.interpret()) return this.ended("trap", began);
      } else if (end.kind === "exit" && end.exit.trap !== undefined) {
        this.trap = { code: this.codeOf(end.exit.trap), value: this.told(end.exit) };
        return this.ended("trap", began);
      } else if (end.kind === "exit" && !end.exit.interrupt && end.exit.guest !== undefined) from = end.exit;
    }
  }

  private ended(reason: RunOutcome["reason"], began: number): RunOutcome {
    this.context.interrupt = false;
    return { reason, steps: this.steps - began };
  }

  /** Runs translated code from a block on, for about `steps` steps, until it comes back. */
  private enter(block: CachedBlock, steps: number): Left {
    const { host } = this;
    host.write("rip", block.entry);
    host.write("rdi", CONTEXT_ADDRESS);
    host.write("rsp", STACK.top);
    const left = this.stretch(steps);
    if (left.kind !== "limit") return left;
    this.interrupt();
    const end = this.stretch(ENDLESS);
    if (end.kind === "limit") throw astray("translated code does not come back");
    return end;
  }

  private stretch(steps: number): Left {
    const { host, cache, context } = this;
    const outcome = host.run(steps);
    if (outcome.reason === "limit") return { kind: "limit" };
    const rip = host.scalar("rip");
    if (outcome.reason !== "trap") throw astray(`the host stops at 0x${rip.toString(16)}: ${outcome.reason}`);
    host.write("trap", 0n);
    host.write("trap.value", 0n);
    if (rip === DISPATCHER) {
      const exit = cache.exit(Number(host.scalar("rax") & 0xffff_ffffn));
      if (exit === undefined) throw astray("translated code leaves by an exit that there is not");
      return { kind: "exit", exit };
    }
    const guest = cache.containing(rip)?.faults.get(rip);
    if (guest === undefined) throw astray(`the host faults at 0x${rip.toString(16)}, of which no fault map tells`);
    context.pc = guest;
    return { kind: "fault" };
  }

  /** True where the instruction traps. */
  private interpret(): boolean {
    this.interpreted++;
    this.trap = this.interpreter.step();
    return this.trap !== undefined;
  }

  private codeOf(trap: string): bigint {
    const code = this.guest.traps.find((t) => t.name === trap)?.code;
    if (code === undefined) throw astray(`translated code leaves with the trap ${trap}, which the guest does not have`);
    return BigInt(code);
  }

  /** The value that a trap has where translated code has just left for it. */
  private told({ value }: CachedExit): bigint {
    switch (value?.kind) {
      case undefined:
        return 0n;
      case "constant":
        return termOf(value.value).value;
      case "register":
        return this.host.scalar(value.register);
      case "memory":
        throw new InternalDefect("translated code leaves no trap's value in memory");
      default:
        return unreachable(value);
    }
  }

  /** The block at the guest's address, translated if it has to be; undefined where it cannot be. */
  private blockAt(pc: bigint): CachedBlock | undefined {
    const known = this.cache.at(pc);
    if (known !== undefined) return known;
    const code = this.codeAt(pc);
    if (code.length === 0) return undefined;
    if (this.cache.isFull(ROOM)) this.cache.clear();
    const { origin, firstExit } = this.cache;
    const answer = this.blocks.translate(pc, code, origin, firstExit);
    if (answer.kind !== "translated") return undefined;
    const { host, faults } = answer.translation;
    const block: CachedBlock = {
      pc,
      guestEnd: pc + BigInt(answer.guestBytes),
      entry: origin,
      end: origin + BigInt(host.code.length),
      faults: new Map(faults.map((f) => [f.host, f.guest])),
      chains: new Set(),
    };
    this.cache.add(block, host.code, answer.exits);
    this.guestMemory.close(block.pc, block.guestEnd);
    return block;
  }

  /** The guest's code from an address on, as far as a block may reach and the guest may fetch. */
  private codeAt(pc: bigint): Uint8Array {
    const bytes: number[] = [];
    for (let at = pc; bytes.length < LONGEST * WORD && this.guestMemory.accessible("fetch", at, 1); at++)
      bytes.push(this.guestMemory.readByte(at));
    return Uint8Array.from(bytes);
  }

  /** A byte on a page with translated code is another. */
  private invalidate(address: bigint): void {
    this.cache.invalidate(address, address + 1n);
    const first = pageOf(address) * PAGE;
    if (!this.cache.covers(first, first + PAGE)) this.guestMemory.open(pageOf(address));
  }
}

function astray(how: string): EngineFailure {
  return new EngineFailure("translated code", how);
}
