/**
 * Reads the states that `qemu-riscv64 -singlestep -d cpu,nochain` logs, one before each instruction, as they come.
 */
import { EnvironmentFailure } from "../../refinement/errors.js";
import type { Snapshot } from "../../refinement/emulator.js";
import { FileValue } from "../../refinement/terms/value.js";

const REGISTERS = 33;
const NEWLINE = 10;

/** Hexadecimal digits by character code, 255 for others. */
const DIGITS = Uint8Array.from({ length: 256 }, (_, c) => {
  const digit = Number.parseInt(String.fromCharCode(c), 16);
  return Number.isNaN(digit) ? 255 : digit;
});

/**
 * Splits a log into states. The places of the numbers within a state's text are found once; every further state is read at
 * the same places after its length and its marks were compared.
 */
export class TraceReader {
  private rest: Buffer = Buffer.alloc(0);
  private shape: Shape | undefined;

  /** The states that are complete after this piece of the log. */
  *push(chunk: Buffer): Generator<Snapshot> {
    const text = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    let at = 0;
    for (;;) {
      this.shape ??= findShape(text);
      if (this.shape === undefined || text.length - at < this.shape.length) break;
      yield readState(text, at, this.shape);
      at += this.shape.length;
    }
    this.rest = Buffer.from(text.subarray(at));
    if (this.rest.length > 1 << 16)
      throw new EnvironmentFailure("qemu-riscv64", `its log has an unknown form: ${this.rest.subarray(0, 200)}`);
  }

  end(): void {
    if (this.rest.length > 0)
      throw new EnvironmentFailure(
        "qemu-riscv64",
        `its log ends with ${JSON.stringify(this.rest.toString().slice(0, 200))}`,
      );
  }
}

interface Shape {
  readonly length: number;
  /** Of pc, then x0 … x31. */
  readonly places: readonly number[];
  /** Of a number: 8 or 16. */
  readonly digits: number;
  /** The text with every number zero: what all states have in common. */
  readonly template: Buffer;
}

/** The form of the first state, once the second has begun: versions of QEMU differ in what follows the registers. */
function findShape(text: Buffer): Shape | undefined {
  const log = text.subarray(0, 1 << 14).toString("latin1");
  const places: number[] = [];
  const pc = /^ *pc +([0-9a-f]{8}|[0-9a-f]{16})\n/.exec(log);
  const digits = pc?.[1]?.length;
  if (pc === null || digits === undefined) return undefined;
  places.push(pc[0].length - digits - 1);
  for (let i = 0; i < 32; i++) {
    const match = new RegExp(`\\bx${i}/\\S+ +([0-9a-f]{${digits}})`).exec(log);
    if (match === null) return undefined;
    places.push(match.index + match[0].length - digits);
  }
  const second = log.slice(places[0]).search(/^ *pc /m);
  if (second < 0) return undefined;
  const length = (places[0] ?? 0) + second;
  const template = Buffer.from(text.subarray(0, length));
  for (const place of places) template.fill("0", place, place + digits);
  return { length, places, digits, template };
}

const halves = new Uint32Array(2 * REGISTERS);
const wholes = new BigUint64Array(halves.buffer);

function readState(text: Buffer, at: number, shape: Shape): Snapshot {
  for (let r = 0; r < REGISTERS; r++) {
    const place = at + (shape.places[r] ?? 0);
    halves[2 * r + 1] = shape.digits === 16 ? readHalf(text, place) : 0;
    halves[2 * r] = readHalf(text, place + shape.digits - 8);
  }
  if (text[at + shape.length - 1] !== NEWLINE || text[at] !== shape.template[0] || !sameMarks(text, at, shape)) {
    throw new EnvironmentFailure("qemu-riscv64", `its log has an unknown form: ${text.subarray(at, at + 200)}`);
  }
  return new Map<string, bigint | FileValue>([
    ["pc", wholes[0] ?? 0n],
    ["x", new FileValue([...wholes.subarray(1)])],
  ]);
}

/** The names before the numbers stand where they stood. */
function sameMarks(text: Buffer, at: number, shape: Shape): boolean {
  return shape.places.every(
    (place) =>
      text[at + place - 1] === shape.template[place - 1] &&
      text[at + place + shape.digits] === shape.template[place + shape.digits],
  );
}

function readHalf(text: Buffer, at: number): number {
  let value = 0;
  for (let i = 0; i < 8; i++) {
    const digit = DIGITS[text[at + i] ?? 0] ?? 255;
    if (digit > 15)
      throw new EnvironmentFailure(
        "qemu-riscv64",
        `its log has no number where one belongs: ${text.subarray(at, at + 16)}`,
      );
    value = (value << 4) | digit;
  }
  return value;
}
