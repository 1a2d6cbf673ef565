/**
 * Single lines of QEMU's log. Bytes are read from the columns that hold them; the disassembly behind them is never looked at.
 */
import type { Operation } from "./log.js";

export interface CodeLine {
  readonly address: bigint;
  readonly bytes: readonly number[];
}

/** `0x7f0184000100:  8b 5d f8                 movl …`: pairs of digits with one space between them. */
export function readHostLine(line: string): CodeLine | undefined {
  const start = addressEnd(line);
  if (start === undefined) return undefined;
  const bytes: number[] = [];
  for (let at = start; ; at += 3) {
    const high = digit(line.charCodeAt(at));
    const low = digit(line.charCodeAt(at + 1));
    if (high < 0 || low < 0) return undefined;
    bytes.push(high * 16 + low);
    if (at + 2 >= line.length || line.charCodeAt(at + 3) === SPACE) break;
    if (line.charCodeAt(at + 2) !== SPACE) return undefined;
    if (at + 3 >= line.length) break;
  }
  return { address: BigInt(line.slice(0, line.indexOf(":"))), bytes };
}

/** `0x00000000000100b0:  00558513          addi …`: the instruction as one number, little-endian in memory. */
export function readGuestLine(line: string): CodeLine | undefined {
  const start = addressEnd(line);
  if (start === undefined) return undefined;
  let end = start;
  while (digit(line.charCodeAt(end)) >= 0) end++;
  if (end === start || (end - start) % 4 !== 0 || (end < line.length && line.charCodeAt(end) !== SPACE))
    return undefined;
  const bytes: number[] = [];
  for (let at = end - 2; at >= start; at -= 2) bytes.push(Number.parseInt(line.slice(at, at + 2), 16));
  return { address: BigInt(line.slice(0, line.indexOf(":"))), bytes };
}

const QUAD = /^0x([0-9a-f]{1,16}):\s+\.quad\s+0x([0-9a-f]{16})$/;

/** `0x7f0184000168:  .quad  0x0000561db6460bd0`. */
export function readPoolLine(line: string): CodeLine | undefined {
  const [, address, value] = QUAD.exec(line) ?? [];
  if (address === undefined || value === undefined) return undefined;
  const bytes: number[] = [];
  for (let at = 14; at >= 0; at -= 2) bytes.push(Number.parseInt(value.slice(at, at + 2), 16));
  return { address: BigInt(`0x${address}`), bytes };
}

const MARK = /^ {2}-- guest addr 0x([0-9a-f]{1,16})(?: \+ tb prologue)?$/;

/** `  -- guest addr 0x00000000000100b0 + tb prologue`. */
export function readMark(line: string): bigint | undefined {
  const address = MARK.exec(line)?.[1];
  return address === undefined ? undefined : BigInt(`0x${address}`);
}

const BOUNDARY = /^ ---- ([0-9a-f]{16})(?: [0-9a-f]{16})*$/;

/** ` ---- 00000000000100b0 0000000000000000`. */
export function readBoundary(line: string): bigint | undefined {
  const address = BOUNDARY.exec(line)?.[1];
  return address === undefined ? undefined : BigInt(`0x${address}`);
}

const OPERATION = /^ (\w+)(?: (.*?))??(?: +(?:sync|dead|pref)[:=].*)?\s*$/;
const SYNC = /\ssync: ((?:\d+ )+)/;
/** What the host code can be compared with. */
const TELLING = /^ (?:call|exit_tb|br|goto_tb|goto_ptr|qemu_(?:ld|st)\w*) |^ st_\w+ [^,]*,env,|\ssync: /;

/**
 * ` add_i64 x10/a0,x11/a1,$0x5    sync: 0  dead: 0 2  pref=0xffff`. The numbers count operands; of a call (`call NAME,$flags,$outputs,…`)
 * those behind the three fixed ones. Of lines that are of no use `nothing`; `undefined` where it is no operation.
 */
export function readOperation(line: string): Operation | "nothing" | undefined {
  if (line.charCodeAt(0) !== SPACE) return undefined;
  if (!TELLING.test(line)) return "nothing";
  const [, name, list = ""] = OPERATION.exec(line) ?? [];
  if (name === undefined) return undefined;
  const operands = list === "" ? [] : list.split(",");
  const fixed = name === "call" ? 3 : 0;
  const synced: string[] = [];
  for (const index of SYNC.exec(line)?.[1]?.trim().split(" ") ?? []) {
    const operand = operands[fixed + Number(index)];
    if (operand === undefined) return undefined;
    synced.push(operand);
  }
  return { name, operands, synced };
}

const SPACE = 32;
const ZERO = 48;
const LETTER_A = 97;

function digit(code: number): number {
  if (code >= ZERO && code < ZERO + 10) return code - ZERO;
  return code >= LETTER_A && code < LETTER_A + 6 ? code - LETTER_A + 10 : -1;
}

/** Where the column behind `0x…:  ` begins. */
function addressEnd(line: string): number | undefined {
  if (!line.startsWith("0x")) return undefined;
  let at = 2;
  while (digit(line.charCodeAt(at)) >= 0) at++;
  if (at === 2 || at > 18 || line.charCodeAt(at) !== 58 || line.charCodeAt(at + 1) !== SPACE) return undefined;
  at += 2;
  while (line.charCodeAt(at) === SPACE) at++;
  return at;
}
