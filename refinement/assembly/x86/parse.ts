/**
 * A line of assembly in Intel's syntax:
 *
 *     [lock | rep | repe | repne | addr32 | data16 | rex.w | fs | gs]… mnemonic [operand, …]
 *
 * An operand is a register, a number or label, or memory: `[qword ptr] [fs:][base + index*scale + displacement]`. String instructions
 * take none, and have their segment and address size as prefixes. `[rip + 8]` is 8 bytes behind the instruction's end,
 * `[rip + label]` the label.
 */
import { Register } from "iced-x86";
import type { MemoryOperand } from "../../decoded.js";
import { Mistake, nearest } from "../assemble.js";
import { parseNumber } from "../numbers.js";
import { scaleOf } from "./decode.js";
import type { Wanted, WantedInstruction, WantedMemory } from "./encode.js";
import { formsByName, shapeOf } from "./forms.js";
import { canonicalName, isString, withoutAlias } from "./names.js";
import { named } from "./registers.js";

/** Addresses by name; undefined for what is no label. `.` is the instruction's own. */
export type Symbols = (name: string) => bigint | undefined;

interface Token {
  readonly text: string;
  readonly at: number;
}

const TOKEN = /\s*(?:(\.?[A-Za-z_$][A-Za-z0-9_$.]*|\.)|([0-9][0-9A-Za-z]*)|(\S))/y;

const SEGMENTS: ReadonlyMap<string, Register> = new Map([
  ["es", Register.ES],
  ["cs", Register.CS],
  ["ss", Register.SS],
  ["ds", Register.DS],
  ["fs", Register.FS],
  ["gs", Register.GS],
]);

const WIDTHS: ReadonlyMap<string, MemoryOperand["width"]> = new Map([
  ["byte", 8],
  ["word", 16],
  ["dword", 32],
  ["qword", 64],
  ["xmmword", 128],
  ["oword", 128],
]);

const STRING_SIZES: Readonly<Record<string, number>> = { b: 8, w: 16, d: 32, q: 64 };

/** The instructions that there are. */
export interface Known {
  has(mnemonic: string): boolean;
  /** For an error's suggestion. */
  names(): readonly string[];
}

/** Throws `Mistake`. */
export function parseX86(text: string, symbols: Symbols, known: Known): WantedInstruction {
  return new Line(text, symbols, known).parse();
}

class Line {
  private readonly tokens: readonly Token[];
  private readonly end: number;
  private readonly symbols: Symbols;
  private readonly known: Known;
  private next = 0;
  private lock = false;
  private repeat: WantedInstruction["repeat"] = "none";
  private segment: Register | undefined;
  private operandSize: number | undefined;
  private addressSize: 32 | undefined;

  constructor(text: string, symbols: Symbols, known: Known) {
    this.tokens = tokens(text);
    this.end = text.length;
    this.symbols = symbols;
    this.known = known;
  }

  parse(): WantedInstruction {
    while (this.prefix()) this.next++;
    const head = this.peek();
    const mnemonic = this.mnemonic();
    const operands: Wanted[] = [];
    const jumps = formsByName()
      .get(mnemonic)
      ?.some((f) => f.operands.some((k) => shapeOf(k)?.kind === "target"));
    while (this.peek() !== undefined) {
      if (operands.length > 0 && !this.take(",")) throw this.expected("`,`");
      operands.push(this.operand(jumps === true));
    }
    if (isString(mnemonic) && operands.length > 0)
      throw new Mistake(
        "E_SYNTAX",
        head?.at ?? 0,
        `\`${head?.text}\` is written without operands; fs, gs and addr32 go before it`,
      );
    if (!isString(mnemonic) && (this.repeat !== "none" || this.segment !== undefined))
      throw new Mistake(
        "E_SYNTAX",
        0,
        "a repeat prefix, or a segment without an operand in it, belongs to a string instruction",
      );
    const { lock, repeat, segment, operandSize } = this;
    const addressSize =
      this.addressSize ?? (mnemonic === "jrcxz" && head?.text.toLowerCase() === "jecxz" ? 32 : undefined);
    return { mnemonic, lock, repeat, segment, operandSize, addressSize, operands };
  }

  private prefix(): boolean {
    const word = this.peek()?.text.toLowerCase() ?? "";
    switch (word) {
      case "lock":
        this.lock = true;
        return true;
      case "rep":
      case "repe":
      case "repz":
        this.repeat = "f3";
        return true;
      case "repne":
      case "repnz":
        this.repeat = "f2";
        return true;
      case "addr32":
        this.addressSize = 32;
        return true;
      case "data16":
        this.operandSize = 16;
        return true;
      case "rex.w":
        this.operandSize = 64;
        return true;
      default: {
        const segment = SEGMENTS.get(word);
        if (segment !== undefined) this.segment = segment;
        return segment !== undefined;
      }
    }
  }

  private mnemonic(): string {
    const token = this.peek();
    if (token === undefined) throw this.expected("an instruction");
    const written = withoutAlias(token.text.toLowerCase());
    const bare = this.tokens[this.next + 1] === undefined;
    const name = canonicalName(written, bare);
    if (!this.known.has(name)) {
      throw new Mistake(
        "E_UNKNOWN",
        token.at,
        `no instruction is called \`${token.text}\`${nearest(written, this.known.names())}`,
      );
    }
    if (name !== written && isString(name)) this.operandSize = STRING_SIZES[written.at(-1) ?? ""];
    this.next++;
    return name;
  }

  private operand(jumps: boolean): Wanted {
    const token = this.peek();
    if (token === undefined) throw this.expected("an operand");
    const word = token.text.toLowerCase();
    const register = named(word);
    if (register !== undefined) {
      this.next++;
      return register;
    }
    const width = WIDTHS.get(word);
    if (width !== undefined) {
      this.next++;
      if (this.peek()?.text.toLowerCase() === "ptr") this.next++;
    }
    const segment = this.override();
    if (width === undefined && segment === undefined && token.text !== "[") {
      const value = this.sum();
      return jumps ? { kind: "address", address: value } : { kind: "number", value };
    }
    return this.memory(width, segment);
  }

  private override(): Register | undefined {
    const segment = SEGMENTS.get(this.peek()?.text.toLowerCase() ?? "");
    if (segment === undefined) return undefined;
    this.next++;
    if (!this.take(":")) throw this.expected("`:`");
    return segment;
  }

  private memory(width: MemoryOperand["width"] | undefined, override: Register | undefined): WantedMemory {
    if (!this.take("[")) throw this.expected("`[`");
    const place = new Place(this.addressSize);
    let sign = this.take("-") ? -1n : 1n;
    for (;;) {
      this.summand(place, sign);
      if (this.take("+")) sign = 1n;
      else if (this.take("-")) sign = -1n;
      else if (this.take("]")) break;
      else throw this.expected("`+`, `-` or `]`");
    }
    return place.operand(width, override);
  }

  private summand(place: Place, sign: bigint): void {
    const token = this.peek();
    if (token === undefined) throw this.expected("a register, a number or a label");
    const word = token.text.toLowerCase();
    const isRip = word === "rip" || word === "eip";
    const register = named(word);
    if (!isRip && register === undefined) {
      this.scaledOrNumber(place, sign);
      return;
    }
    if (sign < 0n) throw new Mistake("E_SYNTAX", token.at, "a register can only be added");
    this.next++;
    if (isRip) place.relative(token, word === "rip" ? 64 : 32);
    else if (register === undefined || register.width < 32)
      throw new Mistake(
        "E_SYNTAX",
        token.at,
        `\`${token.text}\` cannot be part of an address; registers of 32 or 64 bits can`,
      );
    else {
      const scale = this.take("*") ? this.number() : undefined;
      place.add(token, register.index, register.width === 32 ? 32 : 64, scale);
    }
  }

  private scaledOrNumber(place: Place, sign: bigint): void {
    const start = this.peek();
    const { value, symbolic } = this.term();
    if (!this.take("*")) {
      place.displacement += sign * value;
      place.symbolic ||= symbolic;
      return;
    }
    const token = this.peek();
    const register = named(token?.text.toLowerCase() ?? "");
    if (token === undefined || register === undefined || register.width < 32 || sign < 0n)
      throw new Mistake("E_SYNTAX", start?.at ?? 0, "a scale is multiplied with a register of 32 or 64 bits");
    this.next++;
    place.add(token, register.index, register.width === 32 ? 32 : 64, value);
  }

  private number(): bigint {
    return this.term().value;
  }

  private sum(): bigint {
    let sign = this.take("-") ? -1n : 1n;
    let sum = 0n;
    for (;;) {
      sum += sign * this.term().value;
      if (this.take("+")) sign = 1n;
      else if (this.take("-")) sign = -1n;
      else return sum;
    }
  }

  private term(): { readonly value: bigint; readonly symbolic: boolean } {
    const token = this.peek();
    if (token === undefined) throw this.expected("a number or label");
    if (/^[0-9]/.test(token.text)) {
      const value = parseNumber(token.text);
      if (value === undefined)
        throw new Mistake(
          "E_SYNTAX",
          token.at,
          `\`${token.text}\` is no number; write it in decimal, as 0x… or as 0b…`,
        );
      this.next++;
      return { value, symbolic: false };
    }
    if (!/^[.A-Za-z_$]/.test(token.text)) throw this.expected("a register, a number or a label");
    const value = this.symbols(token.text);
    if (value === undefined)
      throw new Mistake("E_UNKNOWN", token.at, `\`${token.text}\` is no register, and no label is called so`);
    this.next++;
    return { value, symbolic: true };
  }

  private peek(): Token | undefined {
    return this.tokens[this.next];
  }

  private take(text: string): boolean {
    if (this.peek()?.text !== text) return false;
    this.next++;
    return true;
  }

  private expected(what: string): Mistake {
    const token = this.peek();
    const found = token === undefined ? "the line ends" : `\`${token.text}\` stands`;
    return new Mistake("E_SYNTAX", token?.at ?? this.end, `${found} where ${what} is expected`);
  }
}

/** An address being added up. */
class Place {
  displacement = 0n;
  symbolic = false;
  private base: WantedMemory["base"];
  private index: number | undefined;
  private scale: MemoryOperand["scale"] = 1;
  private size: 32 | 64 | undefined;

  constructor(size: 32 | undefined) {
    this.size = size;
  }

  relative(token: Token, size: 32 | 64): void {
    this.sized(token, size);
    if (this.base !== undefined || this.index !== undefined) throw this.tooMany(token);
    this.base = "rip";
  }

  add(token: Token, register: number, size: 32 | 64, scale: bigint | undefined): void {
    this.sized(token, size);
    if (this.base === "rip") throw this.tooMany(token);
    if (scale === undefined && this.base === undefined) {
      this.base = register;
      return;
    }
    if (this.index !== undefined) throw this.tooMany(token);
    if (scale !== undefined && ![1n, 2n, 4n, 8n].includes(scale))
      throw new Mistake("E_RANGE", token.at, `an index is scaled by 1, 2, 4 or 8, not by ${scale}`);
    this.index = register;
    this.scale = scaleOf(Number(scale ?? 1n));
    // rsp cannot be an index, but of a plain sum either can be.
    if (register === 4 && this.scale === 1 && this.base !== 4 && this.base !== undefined)
      [this.base, this.index] = [4, this.base];
    if (this.index === 4) throw new Mistake("E_RANGE", token.at, `\`${token.text}\` cannot be an index`);
  }

  private sized(token: Token, size: 32 | 64): void {
    if (this.size !== undefined && this.size !== size)
      throw new Mistake("E_SYNTAX", token.at, `\`${token.text}\`: an address is made of registers of one width`);
    this.size = size;
  }

  private tooMany(token: Token): Mistake {
    return new Mistake(
      "E_SYNTAX",
      token.at,
      `\`${token.text}\` is one register too many: an address has a base and an index, or rip`,
    );
  }

  operand(width: MemoryOperand["width"] | undefined, override: Register | undefined): WantedMemory {
    const { displacement, symbolic, base, index, scale, size: addressSize = 64 } = this;
    const segment = override === Register.FS ? "fs" : override === Register.GS ? "gs" : "none";
    const place = { segment, base, index, scale, displacement, addressSize } as const;
    const address = symbolic && base === "rip" ? displacement : undefined;
    return { kind: "memory", width, override, ...place, ...(address === undefined ? {} : { address }) };
  }
}

function tokens(text: string): Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
    const token = match[1] ?? match[2] ?? match[3] ?? "";
    found.push({ text: token, at: match.index + match[0].length - token.length });
  }
  return found;
}
