/**
 * Reads QEMU's log as it comes. What is wrong with a block costs that block and is told; the blocks behind it are read. No more than one
 * block is held at a time.
 */
import { readBoundary, readGuestLine, readHostLine, readMark, readOperation, readPoolLine } from "./lines.js";
import type { CodeLine } from "./lines.js";
import type { FaultMark, LogEvent, LoggedBlock, LoggedInstruction, Operation, ProblemName } from "./log.js";

/** QEMU translates at most 512 instructions at once. */
const MAX_INSTRUCTIONS = 512;
/** Host code of one block; QEMU's own limit is 64 KiB. */
const MAX_CODE = 1 << 17;
const MAX_OPERATIONS = 1 << 16;
const MAX_LINE = 1 << 14;

const SEPARATOR = "----------------";
const OUT = /^OUT: \[size=(\d+)\]$/;
const PROLOGUE = /^PROLOGUE: \[size=(\d+)\]$/;
const POOL = /^ {2}data: \[size=(\d+)\]$/;
/** What the disassembler says of instructions that it takes to be of another length. */
const REMARK = /^(?:Disassembler disagrees|Please report)/;

type Section = "none" | "in" | "op" | "optimized" | "out" | "pool" | "prologue" | "skip";

/** In which they come; any of the first may be missing. */
const ORDER: Readonly<Record<Section, number>> = {
  none: 0,
  skip: 0,
  in: 1,
  op: 2,
  optimized: 3,
  out: 4,
  prologue: 4,
  pool: 5,
};

/** A block that is being read. */
class Draft {
  readonly line: number;
  readonly instructions: LoggedInstruction[] = [];
  readonly boundaries: bigint[] = [];
  readonly operations: Operation[] = [];
  readonly marks: FaultMark[] = [];
  marksEnd: bigint | undefined;
  address: bigint | undefined;
  readonly code: number[] = [];
  readonly pool: number[] = [];
  /** Bytes of code and pool that are announced. */
  size = 0;
  poolSize: number | undefined;

  constructor(line: number) {
    this.line = line;
  }

  get end(): bigint | undefined {
    return this.address === undefined ? undefined : this.address + BigInt(this.code.length + this.pool.length);
  }

  get complete(): boolean {
    return this.code.length + this.pool.length === this.size;
  }
}

class Malformed extends Error {
  readonly problem: ProblemName;
  constructor(problem: ProblemName, message: string) {
    super(message);
    this.problem = problem;
  }
}

export class LogReader {
  private rest = "";
  private line = 0;
  /** Logs without `in_asm` have no separators. */
  private separated = false;
  private section: Section = "none";
  private draft: Draft | undefined;
  private events: LogEvent[] = [];

  /** The next bytes of the log: what is complete with them. */
  push(chunk: Uint8Array): readonly LogEvent[] {
    const text = this.rest + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString("latin1");
    let at = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", at)) {
      this.read(text.slice(at, end));
      at = end + 1;
    }
    this.rest = text.slice(at);
    if (this.rest.length > MAX_LINE) {
      this.fail("flood", `a line of more than ${MAX_LINE} characters`);
      this.rest = "";
    }
    return this.taken();
  }

  /** The log ends here. */
  end(): readonly LogEvent[] {
    if (this.rest !== "") this.read(this.rest);
    this.rest = "";
    if (this.draft !== undefined) this.fail("truncated", "the log ends in the middle of a block");
    return this.taken();
  }

  private taken(): readonly LogEvent[] {
    const events = this.events;
    this.events = [];
    return events;
  }

  private read(line: string): void {
    this.line++;
    try {
      if (line.length > MAX_LINE) throw new Malformed("flood", `a line of more than ${MAX_LINE} characters`);
      this.dispatch(line);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.fail(error.problem, error.message);
    }
  }

  private fail(name: ProblemName, message: string): void {
    this.draft = undefined;
    this.section = "skip";
    this.events.push({ kind: "problem", problem: { name, line: this.line, message } });
  }

  private dispatch(line: string): void {
    if (line === "") return;
    if (line === SEPARATOR) {
      this.begin();
      return;
    }
    const first = line.charCodeAt(0);
    if (first >= UPPER_A && first <= UPPER_Z && this.heading(line)) return;
    switch (this.section) {
      case "none": // Other items of `-d` write between the blocks.
      case "skip":
        break;
      case "in":
        this.guestLine(line);
        break;
      case "op":
      case "optimized":
        this.operation(line, this.section === "optimized");
        break;
      case "out":
      case "prologue":
        if (line.startsWith("  ")) this.hostRemark(line);
        else this.hostLine(line);
        break;
      case "pool":
        this.poolLine(line);
    }
  }

  private begin(): void {
    this.separated = true;
    this.abandon();
    this.section = "none";
    this.draft = new Draft(this.line);
  }

  /** A new block begins: there should be none. */
  private abandon(): void {
    const open = this.draft;
    this.draft = undefined;
    if (open === undefined) return;
    const message = `the block that begins at line ${open.line} has no end`;
    this.events.push({ kind: "problem", problem: { name: "truncated", line: this.line, message } });
  }

  /** Whether it is one. */
  private heading(line: string): boolean {
    if (line.startsWith("IN:")) return this.enter("in");
    if (line.startsWith("OP:")) return this.enter("op");
    if (line.startsWith("OP after optimization")) return this.enter("optimized");
    if (line.startsWith("OP ")) return this.enter("op");
    const size = OUT.exec(line)?.[1];
    if (size !== undefined) return this.enter("out", Number(size));
    const prologue = PROLOGUE.exec(line)?.[1];
    if (prologue === undefined) return false;
    this.abandon();
    return this.enter("prologue", Number(prologue));
  }

  private enter(section: "in" | "op" | "optimized" | "out" | "prologue", size = 0): true {
    if (this.section === "skip") {
      if (this.separated || section === "out") return true;
      this.section = "none"; // The next block, as far as a log without separators shows.
    }
    const draft = this.opened();
    if (this.section === "out" || this.section === "pool")
      throw new Malformed("size", `${draft.size} bytes of host code are announced and fewer follow`);
    if (ORDER[section] <= ORDER[this.section]) throw malformed("the block's next section", section);
    if (size > MAX_CODE) throw new Malformed("size", `${size} bytes of host code are announced`);
    draft.boundaries.length = section === "out" ? draft.boundaries.length : 0;
    draft.size = size;
    this.section = section;
    return true;
  }

  private guestLine(line: string): void {
    if (REMARK.test(line)) return;
    const instruction = readGuestLine(line);
    if (instruction === undefined) throw malformed("a guest instruction (0x…:  hexadecimal digits)", line);
    const { instructions } = this.opened();
    const before = instructions.at(-1);
    if (before !== undefined) follows(instruction, before.address + BigInt(before.bytes.length));
    if (instructions.length >= MAX_INSTRUCTIONS)
      throw new Malformed("flood", `more than ${MAX_INSTRUCTIONS} guest instructions in a block`);
    instructions.push({ address: instruction.address, bytes: Uint8Array.from(instruction.bytes) });
  }

  private operation(line: string, optimized: boolean): void {
    const { boundaries, operations } = this.opened();
    const boundary = readBoundary(line);
    if (boundary !== undefined) {
      boundaries.push(boundary);
      if (boundaries.length > MAX_INSTRUCTIONS)
        throw new Malformed("flood", `more than ${MAX_INSTRUCTIONS} guest instructions in a block`);
      return;
    }
    const operation = optimized || !line.startsWith(" ") ? readOperation(line) : "nothing";
    if (operation === undefined) throw malformed("an operation", line);
    if (operation === "nothing") return;
    operations.push(operation);
    if (operations.length > MAX_OPERATIONS) throw new Malformed("flood", `more than ${MAX_OPERATIONS} operations`);
  }

  private hostLine(line: string): void {
    const draft = this.opened();
    const code = readHostLine(line);
    if (code === undefined) throw malformed("host code (0x…:  bytes)", line);
    this.append(draft, draft.code, code);
  }

  private hostRemark(line: string): void {
    const draft = this.opened();
    const guest = readMark(line);
    if (guest !== undefined) {
      if (draft.marksEnd !== undefined) throw malformed("host code of slow paths", line);
      // The first mark stands before the first byte, whose address the next line tells.
      draft.marks.push({ host: BigInt(draft.code.length), guest });
      return;
    }
    const pool = POOL.exec(line)?.[1];
    if (pool !== undefined) {
      if (this.section !== "out" || draft.code.length + Number(pool) !== draft.size)
        throw new Malformed(
          "size",
          `${draft.size} bytes are announced; there are ${draft.code.length} before ${pool} of data`,
        );
      this.section = "pool";
      return;
    }
    if (line !== "  -- tb slow paths + alignment") throw malformed("a mark", line);
    draft.marksEnd = BigInt(draft.code.length);
  }

  private poolLine(line: string): void {
    const draft = this.opened();
    const data = readPoolLine(line);
    if (data === undefined) throw malformed("data (0x…:  .quad  0x…)", line);
    this.append(draft, draft.pool, data);
  }

  private append(draft: Draft, to: number[], piece: CodeLine): void {
    draft.address ??= piece.address;
    follows(piece, draft.end);
    to.push(...piece.bytes);
    if (draft.code.length + draft.pool.length > draft.size)
      throw new Malformed("size", `${draft.size} bytes are announced and more follow`);
    if (draft.complete) this.finish(draft);
  }

  private finish(draft: Draft): void {
    const address = draft.address ?? 0n;
    const code = Uint8Array.from(draft.code);
    if (this.section === "prologue") {
      this.events.push({ kind: "prologue", prologue: { address, code } });
    } else {
      checkBoundaries(draft);
      const block: LoggedBlock = {
        line: draft.line,
        instructions: draft.instructions,
        boundaries: draft.boundaries,
        operations: draft.operations,
        address,
        code,
        marks: draft.marks.map((m) => ({ host: address + m.host, guest: m.guest })),
        marksEnd: address + (draft.marksEnd ?? BigInt(code.length)),
        pool: Uint8Array.from(draft.pool),
      };
      this.events.push({ kind: "block", block });
    }
    this.draft = undefined;
    this.section = "none";
  }

  private opened(): Draft {
    this.draft ??= new Draft(this.line);
    return this.draft;
  }
}

/** Where both are logged, what was disassembled is what was translated. */
function checkBoundaries({ instructions, boundaries }: Draft): void {
  if (instructions.length === 0 || boundaries.length === 0) return;
  const same = instructions.length === boundaries.length && boundaries.every((b, i) => b === instructions[i]?.address);
  if (!same)
    throw malformed("the instructions that IN shows", `${boundaries.length} instructions in the intermediate code`);
}

const UPPER_A = 65;
const UPPER_Z = 90;

function follows(piece: CodeLine, expected: bigint | undefined): void {
  if (expected !== undefined && piece.address !== expected)
    throw new Malformed("gap", `0x${piece.address.toString(16)} comes where 0x${expected.toString(16)} does`);
}

function malformed(expected: string, line: string): Malformed {
  return new Malformed("malformed", `expected ${expected}: ${JSON.stringify(line.slice(0, 80))}`);
}
