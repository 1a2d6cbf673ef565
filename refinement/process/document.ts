/** The parts of a JSON document that someone else has written: nothing of it is trusted. */

const MOST_BYTES = 1 << 20;
const MOST_ENTRIES = 1 << 16;

/** Something in a document that is not as the protocol says. */
export class Malformed extends Error {}

export function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new Malformed(`the answer is no JSON: ${excerpt(line)}`);
  }
}

export type Fields = Readonly<Record<string, unknown>>;

export function record(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Malformed(`${quoted(what)} must be an object, not ${shown(value)}`);
  return Object.fromEntries(Object.entries(value));
}

export function list<T>(value: unknown, what: string, read: (item: Fields, what: string) => T): readonly T[] {
  if (!Array.isArray(value)) throw new Malformed(`${quoted(what)} must be a list, not ${shown(value)}`);
  const items: readonly unknown[] = value;
  if (items.length > MOST_ENTRIES) throw new Malformed(`${quoted(what)} has more than ${MOST_ENTRIES} entries`);
  return items.map((item, i) => read(record(item, `${what}[${i}]`), `${what}[${i}]`));
}

export function number(value: unknown, what: string): bigint {
  if (typeof value !== "string" || !/^0x[0-9a-fA-F]{1,16}$/.test(value))
    throw new Malformed(`${quoted(what)} must be a hexadecimal address, as in "0x10000", not ${shown(value)}`);
  return BigInt(value);
}

export function bytes(value: unknown, what: string): Uint8Array {
  if (typeof value !== "string" || !/^([0-9a-fA-F]{2})*$/.test(value))
    throw new Malformed(`${quoted(what)} must be bytes in hexadecimal, two digits each, not ${shown(value)}`);
  if (value.length > 2 * MOST_BYTES) throw new Malformed(`${quoted(what)} has more than ${MOST_BYTES} bytes`);
  return Uint8Array.from(Buffer.from(value, "hex"));
}

export function text(value: unknown, what: string): string {
  if (typeof value !== "string") throw new Malformed(`${quoted(what)} must be a string, not ${shown(value)}`);
  return excerpt(value);
}

export function flag(value: unknown, what: string): boolean {
  if (value === undefined) return false;
  if (typeof value !== "boolean") throw new Malformed(`${quoted(what)} must be true or false, not ${shown(value)}`);
  return value;
}

function quoted(what: string): string {
  return what.startsWith("the ") ? what : `\`${what}\``;
}

export function shown(value: unknown): string {
  return value === undefined ? "nothing" : excerpt(JSON.stringify(value));
}

/** Characters. */
const LONGEST_EXCERPT = 80;

/** The beginning, on one line, without what could control a terminal. */
export function excerpt(text: string): string {
  const line = text.replace(/[^\x20-\x7e]+/g, " ").trim();
  return line.length > LONGEST_EXCERPT ? `${line.slice(0, LONGEST_EXCERPT)}…` : line;
}

export function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
