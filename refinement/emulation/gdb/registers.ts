/** Guest variables in a stub's registers. */
import { UserError } from "../../errors.js";
import type { Architecture } from "../../gdb.js";
import { elementName, type Machine } from "../../machine.js";
import type { RegisterBits, StubSource } from "../../refinement.js";
import type { State } from "../../execute/state.js";
import { FileValue, type Value } from "../../terms/value.js";
import type { Connection } from "./connection.js";
import type { StubRegister } from "./description.js";

/** A scalar, or an element of a file, and the bits of a register that it is. */
interface Place {
  readonly variable: string;
  readonly index: number | undefined;
  readonly width: number;
  readonly register: StubRegister;
  readonly low: number;
}

interface Named {
  readonly key: string;
  readonly variable: string;
  readonly index: number | undefined;
  readonly width: number;
}

export class RegisterMap {
  readonly places: readonly Place[];
  private readonly architecture: Architecture;
  private readonly described: ReadonlyMap<string, StubRegister> | undefined;
  private readonly byNumber: ReadonlyMap<number, StubRegister>;

  /** Throws a UserError that names every guest variable for which there is no register. */
  constructor(
    guest: Machine,
    source: Pick<StubSource, "registers">,
    hidden: readonly string[],
    architecture: Architecture,
    described: ReadonlyMap<string, StubRegister> | undefined,
  ) {
    this.architecture = architecture;
    this.described = described;
    this.byNumber = new Map([...(described?.values() ?? [])].map((r) => [r.number, r]));
    const problems: string[] = [];
    this.places = scalars(guest, hidden).flatMap((named) => {
      const place = this.placeOf(named, source.registers);
      if (typeof place !== "string") return [place];
      problems.push(place);
      return [];
    });
    if (problems.length > 0) throw new UserError(problems.join("\n"));
  }

  private placeOf({ key, variable, index, width }: Named, given: StubSource["registers"]): Place | string {
    const own = this.architecture.places.get(key);
    const wanted = given.get(key) ??
      (own === undefined ? undefined : registerBits(own)) ?? {
        register: index === undefined ? variable : `${variable}${index}`,
        bits: undefined,
      };
    const register = this.named(wanted.register);
    if (register === undefined)
      return `the guest's \`${key}\` needs a register: the stub has no \`${wanted.register}\`; name one in \`registers\`, or the variable in \`hidden\``;
    const { high, low } = wanted.bits ?? { high: register.width - 1, low: 0 };
    if (high >= register.width || high - low + 1 !== width)
      return `the guest's \`${key}\` has ${width} bits, but ${wanted.register}[${high}:${low}] is not as wide: the register has ${register.width}`;
    return { variable, index, width, register, low };
  }

  /** By the name that the stub has for it, or that the architecture has for the one of the same number. */
  named(name: string): StubRegister | undefined {
    const exact = this.described?.get(name);
    if (exact !== undefined) return exact;
    const number = this.architecture.registers.findIndex((r) => r.name === name);
    const standard = this.architecture.registers[number];
    if (standard === undefined) return undefined;
    return this.described === undefined ? { number, width: standard.width } : this.byNumber.get(number);
  }

  /** All that are known, in the order of a whole block of registers. */
  get order(): readonly StubRegister[] {
    const all =
      this.described === undefined
        ? this.architecture.registers.map(({ width }, number) => ({ number, width }))
        : [...this.described.values()];
    return [...all].sort((a, b) => a.number - b.number);
  }
}

function registerBits(text: string): RegisterBits | undefined {
  const [, register, high, low] = /^([\w.:-]+?)(?:\[(\d+)(?::(\d+))?\])?$/.exec(text) ?? [];
  if (register === undefined) return undefined;
  return { register, bits: high === undefined ? undefined : { high: Number(high), low: Number(low ?? high) } };
}

function scalars(guest: Machine, hidden: readonly string[]): Named[] {
  return guest.variables.flatMap((v): Named[] => {
    const { name, sort } = v;
    if (v.implicit || sort.kind === "memory" || hidden.some((h) => name === h || name.startsWith(`${h}.`))) return [];
    if (sort.kind !== "file")
      return [{ key: name, variable: name, index: undefined, width: sort.kind === "bits" ? sort.width : 1 }];
    return Array.from({ length: sort.count }, (_, index) => index)
      .filter((index) => !v.fixed.has(index))
      .map((index) => ({ key: elementName(name, index), variable: name, index, width: sort.element }));
  });
}

/** The registers of a stub that is connected. */
export class Registers {
  private readonly connection: Connection;
  private readonly map: RegisterMap;
  /** What `g` gives, and where each register is in it, in bytes. */
  private block: Uint8Array;
  private readonly offsets: ReadonlyMap<number, number>;
  /** What registers outside the block held at first, whose other bits are kept. */
  private readonly apart = new Map<number, bigint>();

  private constructor(connection: Connection, map: RegisterMap, block: Uint8Array) {
    this.connection = connection;
    this.map = map;
    this.block = block;
    const offsets = new Map<number, number>();
    let at = 0;
    for (const { number, width } of map.order) {
      const size = Math.ceil(width / 8);
      if (at + size > block.length) break;
      offsets.set(number, at);
      at += size;
    }
    this.offsets = offsets;
  }

  static async open(connection: Connection, map: RegisterMap, signal: AbortSignal): Promise<Registers> {
    const answer = await connection.ask("g", signal);
    const block = /^(E..)?$/.test(answer) ? new Uint8Array() : blockOf(connection, answer);
    const registers = new Registers(connection, map, block);
    for (const { register } of map.places)
      if (!registers.offsets.has(register.number))
        registers.apart.set(register.number, await registers.one(register, signal));
    return registers;
  }

  /** All variables as the state has them. */
  async write(state: State, signal: AbortSignal): Promise<void> {
    const values = this.map.places.map(({ variable, index }): bigint => {
      const value = state.get(variable);
      if (value instanceof FileValue && index !== undefined) return value.get(BigInt(index));
      return typeof value === "bigint" ? value : 0n;
    });
    await this.put(
      this.map.places.map((place, i) => ({ ...place, value: values[i] ?? 0n })),
      signal,
    );
  }

  /** Some registers by name, the others as they were at first. */
  async writeNamed(values: ReadonlyMap<string, bigint>, signal: AbortSignal): Promise<void> {
    const puts = [...values].flatMap(([name, value]) => {
      const register = this.map.named(name);
      return register === undefined ? [] : [{ register, low: 0, width: register.width, value }];
    });
    await this.put(puts, signal);
  }

  private async put(
    puts: readonly { register: StubRegister; low: number; width: number; value: bigint }[],
    signal: AbortSignal,
  ): Promise<void> {
    const block = Uint8Array.from(this.block);
    const apart = new Map<number, bigint>();
    for (const { register, low, width, value } of puts) {
      const offset = this.offsets.get(register.number);
      const size = Math.ceil(register.width / 8);
      const before =
        offset === undefined
          ? (apart.get(register.number) ?? this.apart.get(register.number) ?? 0n)
          : fromBytes(block.subarray(offset, offset + size));
      const mask = ((1n << BigInt(width)) - 1n) << BigInt(low);
      const after = (before & ~mask) | ((value << BigInt(low)) & mask);
      if (offset === undefined) apart.set(register.number, after);
      else block.set(toBytes(after, size), offset);
    }
    if (block.length > 0) await this.command(`G${Buffer.from(block).toString("hex")}`, signal);
    for (const [number, value] of apart) {
      const width = this.map.order.find((r) => r.number === number)?.width ?? 64;
      const hex = Buffer.from(toBytes(value, Math.ceil(width / 8))).toString("hex");
      await this.command(`P${number.toString(16)}=${hex}`, signal);
    }
  }

  private async command(payload: string, signal: AbortSignal): Promise<void> {
    const answer = await this.connection.ask(payload, signal);
    if (answer !== "OK")
      throw this.connection.failed(
        `it does not take registers (${payload.slice(0, 1)}): ${answer || "no such packet"}`,
      );
  }

  /** All variables, by name. */
  async read(zero: State, signal: AbortSignal): Promise<Map<string, Value>> {
    const answer = this.block.length === 0 ? "" : await this.connection.ask("g", signal);
    const block = this.block.length === 0 ? this.block : blockOf(this.connection, answer);
    if (block.length !== this.block.length)
      throw this.connection.failed("its registers have another length than before");
    const apart = new Map<number, bigint>();
    const files = new Map<string, bigint[]>();
    const state = new Map<string, Value>();
    for (const { variable, index, width, register, low } of this.map.places) {
      const offset = this.offsets.get(register.number);
      const known = offset === undefined ? apart.get(register.number) : undefined;
      const whole =
        offset === undefined
          ? (known ?? (await this.one(register, signal)))
          : fromBytes(block.subarray(offset, offset + Math.ceil(register.width / 8)));
      if (offset === undefined) apart.set(register.number, whole);
      const value = BigInt.asUintN(width, whole >> BigInt(low));
      if (index === undefined) {
        state.set(variable, value);
        continue;
      }
      const before = zero.get(variable);
      const elements = files.get(variable) ?? (before instanceof FileValue ? [...before.elements] : []);
      elements[index] = value;
      files.set(variable, elements);
    }
    for (const [name, elements] of files) state.set(name, new FileValue(elements));
    return state;
  }

  private async one({ number, width }: StubRegister, signal: AbortSignal): Promise<bigint> {
    const answer = await this.connection.ask(`p${number.toString(16)}`, signal);
    if (!/^([0-9a-fA-F]{2})+$/.test(answer) || answer.length !== 2 * Math.ceil(width / 8))
      throw this.connection.failed(
        `it does not give its register ${number}: ${answer.slice(0, 20) || "no such packet"}`,
      );
    return fromBytes(Buffer.from(answer, "hex"));
  }
}

/** Registers that the stub cannot tell are `x`es, and taken for zero. */
function blockOf(connection: Connection, answer: string): Uint8Array {
  if (!/^([0-9a-fA-FxX]{2})+$/.test(answer)) throw connection.failed("its registers are no hexadecimal number");
  return Uint8Array.from(Buffer.from(answer.replaceAll(/x/gi, "0"), "hex"));
}

/** Little-endian. */
function fromBytes(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  return value;
}

function toBytes(value: bigint, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}
