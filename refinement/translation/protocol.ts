/** The translator protocol (docs/formats.md): requests and answers, one JSON document a line. Nothing of an answer is trusted. */
import type {
  DataBytes,
  Exit,
  FaultEntry,
  HelperCall,
  Point,
  Translation,
  TranslationAnswer,
  TranslationRequest,
} from "../translation.js";

/** Bytes of a line; a longer answer is refused before it is whole. */
export const LONGEST_LINE = 4 << 20;
const MOST_CODE = 1 << 20;
const MOST_ENTRIES = 1 << 16;
const HIGHEST = (1n << 64n) - 1n;

export function requestLine(id: number, { pc, code }: TranslationRequest): string {
  return `${JSON.stringify({ id, translate: { pc: hex(pc), code: Buffer.from(code).toString("hex") } })}\n`;
}

/** Something in an answer that is not as the protocol says. */
class Malformed extends Error {}

/** An answer that is not one is an `error` that says why. */
export function readAnswer(line: string, id: number): TranslationAnswer {
  try {
    return answerOf(parsed(line), id);
  } catch (error) {
    if (error instanceof Malformed) return { kind: "error", reason: error.message };
    throw error;
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new Malformed(`the answer is no JSON: ${excerpt(line)}`);
  }
}

function answerOf(document: unknown, id: number): TranslationAnswer {
  const answer = record(document, "the answer");
  if (answer["id"] !== id) throw new Malformed(`the answer is for request ${shown(answer["id"])}, not ${id}`);
  const { unsupported, error } = answer;
  if (unsupported !== undefined) return { kind: "unsupported", what: text(unsupported, "unsupported") };
  if (error !== undefined) return { kind: "error", reason: `the translator says: ${text(error, "error")}` };
  return { kind: "translated", translation: translationOf(answer) };
}

function translationOf(answer: Fields): Translation {
  const host = record(answer["host"], "host");
  const address = number(host["address"], "host.address");
  const code = bytes(host["code"], "host.code");
  if (code.length === 0) throw new Malformed("`host.code` is empty");
  if (address + BigInt(code.length) > HIGHEST)
    throw new Malformed("`host.code` does not fit below the end of the address space");
  return {
    host: { address, code, data: list(host["data"] ?? [], "host.data", dataOf) },
    entry: number(answer["entry"], "entry"),
    points: list(answer["points"] ?? [], "points", pointOf),
    faults: list(answer["faults"] ?? [], "faults", faultOf),
    exits: list(answer["exits"], "exits", exitOf),
    calls: list(answer["calls"] ?? [], "calls", callOf),
  };
}

function dataOf(item: Fields, what: string): DataBytes {
  return { address: number(item["address"], `${what}.address`), bytes: bytes(item["bytes"], `${what}.bytes`) };
}

function pointOf(item: Fields, what: string): Point {
  return {
    host: number(item["host"], `${what}.host`),
    guest: number(item["guest"], `${what}.guest`),
    cut: flag(item["cut"], `${what}.cut`),
  };
}

function faultOf(item: Fields, what: string): FaultEntry {
  const { until } = item;
  return {
    host: number(item["host"], `${what}.host`),
    until: until === undefined ? undefined : number(until, `${what}.until`),
    guest: number(item["guest"], `${what}.guest`),
  };
}

function exitOf(item: Fields, what: string): Exit {
  const { guest, trap } = item;
  return {
    host: number(item["host"], `${what}.host`),
    guest: guest === undefined ? undefined : number(guest, `${what}.guest`),
    interrupt: flag(item["interrupt"], `${what}.interrupt`),
    trap: trap === undefined ? undefined : text(trap, `${what}.trap`),
  };
}

function callOf(item: Fields, what: string): HelperCall {
  return { address: number(item["address"], `${what}.address`), name: text(item["name"], `${what}.name`) };
}

// ---- the parts of a document

type Fields = Readonly<Record<string, unknown>>;

function record(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Malformed(`${quoted(what)} must be an object, not ${shown(value)}`);
  return Object.fromEntries(Object.entries(value));
}

function list<T>(value: unknown, what: string, read: (item: Fields, what: string) => T): readonly T[] {
  if (!Array.isArray(value)) throw new Malformed(`${quoted(what)} must be a list, not ${shown(value)}`);
  const items: readonly unknown[] = value;
  if (items.length > MOST_ENTRIES) throw new Malformed(`${quoted(what)} has more than ${MOST_ENTRIES} entries`);
  return items.map((item, i) => read(record(item, `${what}[${i}]`), `${what}[${i}]`));
}

function number(value: unknown, what: string): bigint {
  if (typeof value !== "string" || !/^0x[0-9a-fA-F]{1,16}$/.test(value))
    throw new Malformed(`${quoted(what)} must be a hexadecimal address, as in "0x10000", not ${shown(value)}`);
  return BigInt(value);
}

function bytes(value: unknown, what: string): Uint8Array {
  if (typeof value !== "string" || !/^([0-9a-fA-F]{2})*$/.test(value))
    throw new Malformed(`${quoted(what)} must be bytes in hexadecimal, two digits each, not ${shown(value)}`);
  if (value.length > 2 * MOST_CODE) throw new Malformed(`${quoted(what)} has more than ${MOST_CODE} bytes`);
  return Uint8Array.from(Buffer.from(value, "hex"));
}

function text(value: unknown, what: string): string {
  if (typeof value !== "string") throw new Malformed(`${quoted(what)} must be a string, not ${shown(value)}`);
  return excerpt(value);
}

function flag(value: unknown, what: string): boolean {
  if (value === undefined) return false;
  if (typeof value !== "boolean") throw new Malformed(`${quoted(what)} must be true or false, not ${shown(value)}`);
  return value;
}

function quoted(what: string): string {
  return what.startsWith("the ") ? what : `\`${what}\``;
}

function shown(value: unknown): string {
  return value === undefined ? "nothing" : excerpt(JSON.stringify(value));
}

const LONGEST_EXCERPT = 80;

/** The beginning, on one line, without what could control a terminal. */
export function excerpt(text: string): string {
  const line = text.replace(/[^\x20-\x7e]+/g, " ").trim();
  return line.length > LONGEST_EXCERPT ? `${line.slice(0, LONGEST_EXCERPT)}…` : line;
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
