/**
 * What instructions are called: the library's mnemonics against those of `DecodedInstruction`, which name a string instruction
 * without its width and a counter jump without its counter's, and what other assemblers call the same.
 */
import type { RepeatPrefix } from "../../decoded.js";

const STRING = /^(movs|cmps|stos|lods|scas)([bwdq])$/;
const SUFFIXES: Readonly<Record<number, string>> = { 8: "b", 16: "w", 32: "d", 64: "q" };

/** `canonicalName("movsq", true)` is "movs". `implied` says that the operands are rsi's and rdi's: movsd and cmpsd are also names of SSE. */
export function canonicalName(mnemonic: string, implied: boolean): string {
  if (mnemonic === "jecxz") return "jrcxz";
  if (mnemonic === "sal") return "shl";
  const string = STRING.exec(mnemonic);
  return implied && string?.[1] !== undefined ? string[1] : mnemonic;
}

export function isString(canonical: string): boolean {
  return STRING.test(`${canonical}b`);
}

/** How assembly writes the mnemonic of an instruction of these sizes. */
export function writtenName(canonical: string, operandSize: number, addressSize: number): string {
  if (isString(canonical)) return `${canonical}${SUFFIXES[operandSize]}`;
  return canonical === "jrcxz" && addressSize === 32 ? "jecxz" : canonical;
}

/** The prefixes F3 and F2 repeat movs, stos and lods as they are; cmps and scas end at a difference or at an equality. */
export function repeatOf(canonical: string, f3: boolean, f2: boolean): RepeatPrefix {
  if (!isString(canonical) || !(f3 || f2)) return "none";
  if (canonical === "cmps" || canonical === "scas") return f2 ? "repne" : "repe";
  return "rep";
}

/** Operands that an instruction has by itself. */
export interface ImpliedOperands {
  /** Registers that hold the addresses of the operands in memory, in order; undefined stands for the accumulator. */
  readonly bases: readonly (number | undefined)[];
  /** The one of them whose segment a prefix can change. */
  readonly segmented: number;
  readonly repeats: readonly RepeatPrefix[];
}

const [RSI, RDI] = [6, 7];

const IMPLIED: ReadonlyMap<string, ImpliedOperands> = new Map([
  ["movs", { bases: [RDI, RSI], segmented: RSI, repeats: ["none", "rep"] }],
  ["stos", { bases: [RDI, undefined], segmented: RSI, repeats: ["none", "rep"] }],
  ["lods", { bases: [undefined, RSI], segmented: RSI, repeats: ["none", "rep"] }],
  ["cmps", { bases: [RSI, RDI], segmented: RSI, repeats: ["none", "repe", "repne"] }],
  ["scas", { bases: [undefined, RDI], segmented: RSI, repeats: ["none", "repe", "repne"] }],
]);

/** Of the string instructions. */
export function impliedOperands(canonical: string): ImpliedOperands | undefined {
  return IMPLIED.get(canonical);
}

const CONDITIONS: Readonly<Record<string, readonly string[]>> = {
  b: ["c", "nae"],
  ae: ["nc", "nb"],
  e: ["z"],
  ne: ["nz"],
  be: ["na"],
  a: ["nbe"],
  p: ["pe"],
  np: ["po"],
  l: ["nge"],
  ge: ["nl"],
  le: ["ng"],
  g: ["nle"],
};

const ALIASES: ReadonlyMap<string, string> = new Map([
  ["sal", "shl"],
  ["movabs", "mov"],
  ["retn", "ret"],
  ["retq", "ret"],
  ["loopz", "loope"],
  ["loopnz", "loopne"],
  ...["j", "set", "cmov"].flatMap((family) =>
    Object.entries(CONDITIONS).flatMap(([name, others]) =>
      others.map((other) => [`${family}${other}`, `${family}${name}`] as const),
    ),
  ),
]);

/** What an assembler's user writes, in lower case, as it is called here. */
export function withoutAlias(mnemonic: string): string {
  return ALIASES.get(mnemonic) ?? mnemonic;
}
