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
  TrapValue,
} from "../translation.js";
import {
  bytes,
  type Fields,
  flag,
  hex,
  list,
  Malformed,
  number,
  parsed,
  record,
  shown,
  text,
} from "../process/document.js";

const HIGHEST = (1n << 64n) - 1n;

/** `fault`: the seeded fault to translate with. */
export function requestLine(id: number, { pc, code }: TranslationRequest, fault?: string): string {
  const request = { id, translate: { pc: hex(pc), code: Buffer.from(code).toString("hex") } };
  return `${JSON.stringify(fault === undefined ? request : { ...request, fault })}\n`;
}

/** An answer that is not one is an `error` that says why. */
export function readAnswer(line: string, id: number): TranslationAnswer {
  try {
    return answerOf(parsed(line), id);
  } catch (error) {
    if (error instanceof Malformed) return { kind: "error", reason: error.message };
    throw error;
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
    ...viewOf(item, what),
  };
}

function faultOf(item: Fields, what: string): FaultEntry {
  const { until } = item;
  return {
    host: number(item["host"], `${what}.host`),
    until: until === undefined ? undefined : number(until, `${what}.until`),
    guest: number(item["guest"], `${what}.guest`),
    ...viewOf(item, what),
  };
}

function exitOf(item: Fields, what: string): Exit {
  const { guest, trap, value } = item;
  return {
    host: number(item["host"], `${what}.host`),
    guest: guest === undefined ? undefined : number(guest, `${what}.guest`),
    interrupt: flag(item["interrupt"], `${what}.interrupt`),
    trap: trap === undefined ? undefined : text(trap, `${what}.trap`),
    ...(value === undefined ? {} : { value: trapValueOf(value, `${what}.value`) }),
    ...viewOf(item, what),
  };
}

/** `"0x10006"`, `{"register": "rsi"}` or `{"region": "context", "offset": "0x120", "bytes": 8}`. */
function trapValueOf(value: unknown, what: string): TrapValue {
  if (typeof value === "string") return { kind: "constant", value: number(value, what) };
  const { register, region, offset, bytes: count } = record(value, what);
  if (register !== undefined) return { kind: "register", register: text(register, `${what}.register`) };
  if (typeof count !== "number" || ![1, 2, 4, 8].includes(count))
    throw new Malformed(`\`${what}.bytes\` must be 1, 2, 4 or 8, not ${shown(count)}`);
  const at = BigInt.asIntN(64, number(offset, `${what}.offset`));
  return { kind: "memory", region: text(region, `${what}.region`), offset: at, bytes: count };
}

function viewOf({ view }: Fields, what: string): { readonly view?: string } {
  return view === undefined ? {} : { view: text(view, `${what}.view`) };
}

function callOf(item: Fields, what: string): HelperCall {
  return { address: number(item["address"], `${what}.address`), name: text(item["name"], `${what}.name`) };
}
