/**
 * Reads what `qemu-system-riscv64 -d exec,cpu` logs: the state before each translated block, of one instruction each. A block
 * that was not executed after all, because an interrupt came or because it has to be translated again to do input or
 * output, is logged as well, and taken back.
 */
import { EnvironmentFailure } from "../../refinement/errors.js";
import type { Snapshot } from "../../refinement/emulator.js";
import { FileValue } from "../../refinement/terms/value.js";

/** What mstatus holds besides the definition's fields: the width of S and U, which is fixed. */
const FIXED_STATUS = { 32: 0n, 64: 0xa_0000_0000n } as const;
const STATUS_FIELDS = 0x7e_19aan;

const FLAGS: readonly (readonly [string, number])[] = [
  ["mstatus.sie", 1],
  ["mstatus.mie", 3],
  ["mstatus.spie", 5],
  ["mstatus.mpie", 7],
  ["mstatus.spp", 8],
  ["mstatus.mprv", 17],
  ["mstatus.sum", 18],
  ["mstatus.mxr", 19],
  ["mstatus.tvm", 20],
  ["mstatus.tw", 21],
  ["mstatus.tsr", 22],
];

const SAME = [
  ...["pc", "mie", "mideleg", "medeleg", "mtvec", "stvec", "mepc", "sepc", "mcause", "scause", "mtval", "stval"],
  ...["mscratch", "sscratch"],
];

interface Shown {
  readonly state: Snapshot;
  /** mip, whose timer bit is not the definition's state. */
  readonly mip: bigint;
}

export class TraceReader {
  private rest = "";
  private readonly xlen: 32 | 64;
  private lines: string[] = [];
  private mode = 3n;
  /** The last state logged, which may yet be taken back. */
  ready: Shown | undefined;

  constructor(xlen: 32 | 64) {
    this.xlen = xlen;
  }

  /** The states that are known to have been executed after this piece of the log. */
  *push(chunk: Buffer): Generator<Shown> {
    const text = this.rest + chunk.toString("latin1");
    let from = 0;
    for (let end = text.indexOf("\n", from); end >= 0; end = text.indexOf("\n", from)) {
      const line = text.slice(from, end);
      from = end + 1;
      if (line.startsWith("Trace ")) {
        if (this.ready !== undefined) yield this.ready;
        this.ready = undefined;
        // [cs_base/pc/flags/cflags]: the lowest flags are the mode
        const flags = /\/([0-9a-f]{8})\/[0-9a-f]{8}\]/.exec(line)?.[1];
        if (flags === undefined) throw this.unknown(line);
        this.mode = BigInt(Number.parseInt(flags, 16) & 3);
        this.lines = [];
      } else if (line.startsWith("cpu_io_recompile") || line.startsWith("Stopped execution")) {
        this.ready = undefined;
      } else if (line.startsWith(" ")) {
        this.lines.push(line);
        if (line.startsWith(" x28/")) this.ready = this.state();
      }
    }
    this.rest = text.slice(from);
    if (this.rest.length > 1 << 16) throw this.unknown(this.rest);
  }

  private unknown(text: string): EnvironmentFailure {
    return new EnvironmentFailure("qemu-system-riscv", `its log has an unknown form: ${text.slice(0, 200)}`);
  }

  private state(): Shown {
    const numbers = new Map<string, bigint>();
    const x: bigint[] = [];
    for (const line of this.lines) {
      if (line.startsWith(" x")) {
        for (const match of line.matchAll(/x(\d+)\/\S+ +([0-9a-f]+)/g))
          x[Number(match[1])] = BigInt(`0x${match[2] ?? ""}`);
        continue;
      }
      const match = /^ (\S+) +([0-9a-f]+)$/.exec(line);
      if (match?.[1] !== undefined) numbers.set(match[1], BigInt(`0x${match[2] ?? ""}`));
    }
    const number = (name: string): bigint => {
      const value = numbers.get(name);
      if (value === undefined) throw this.unknown(`no ${name} in ${this.lines.join("\n")}`);
      return value;
    };
    const status = number("mstatus");
    const mip = number("mip");
    const state = new Map<string, bigint | FileValue>([
      ["x", new FileValue(x)],
      ["mode", this.mode],
    ]);
    for (const name of SAME) state.set(name, number(name));
    // It reads satp as the program would, and so not in supervisor mode under TVM.
    const satp = numbers.get("satp");
    if (satp !== undefined) state.set("satp", satp);
    for (const [name, bit] of FLAGS) state.set(name, (status >> BigInt(bit)) & 1n);
    // What no field of the definition holds shows as one that does not fit.
    const odd = (status & ~STATUS_FIELDS) ^ FIXED_STATUS[this.xlen];
    state.set("mstatus.mpp", ((status >> 11n) & 3n) | (odd << 2n));
    state.set("ssip", (mip >> 1n) & 1n);
    state.set("msip", (mip >> 3n) & 1n);
    state.set("stip", (mip >> 5n) & 1n);
    state.set("seip", (mip >> 9n) & 1n);
    state.set("meip_line", (mip >> 11n) & 1n);
    return { state, mip };
  }
}
