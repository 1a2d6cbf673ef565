/**
 * From a block of the log to a translation that can be validated: where it leaves, what the fault map says, and which function each
 * call is.
 *
 * QEMU's translations leave in these ways (tcg/i386/tcg-target.c.inc of QEMU 7.2, `tcg_out_op`):
 *
 * - `goto_ptr`: the helper `lookup_tb_ptr` finds the translation of the guest's pc, to which the code jumps. The pc is in the guest's
 *   state before the call, so the exit is the call.
 * - `exit_tb`: back to the main loop through the epilogue, with the address of the block's descriptor in rax, and in its low bits why:
 *   0 or 1, with the pc in the guest's state; 3, since the block was asked to stop before it did anything, with the block's own pc.
 * - `goto_tb`: a jump that QEMU patches to lead to the next block; until then it leads to the `exit_tb` behind it. At the jump
 *   everything but the pc is in the guest's state, and that is the next block's.
 * - the helper `raise_exception`, which never returns and takes the state as it is.
 * - the slow path of an access that must be aligned: a call of a helper that never returns, on behalf of the instruction whose address
 *   is pushed. The exit is the push.
 *
 * Where the code stands is chance, so it is told as if it stood at `PLACE`; what leads out of it is moved along.
 */
import type { Exit, FaultEntry, Point, Translation, TrapValue } from "../../refinement/translation.js";
import { constantIn, decodeCode, type HostInstruction, isMove, RAX, RBP, RDI, RSI, targetOf } from "./host-code.js";
import type { LoggedBlock, LoggedPrologue, Operation } from "./log.js";
import { relocate } from "./relocate.js";

/** Of the prologue, from its first byte: `xor eax, eax`, then the epilogue. */
const EXIT_WITH_ZERO = 0x16n;
const EPILOGUE = 0x18n;
/** In the low bits of what a block returns: it was asked to stop. */
const REQUESTED = 3n;

/** A trap of the guest's. */
export interface GuestTrap {
  readonly name: string;
  /** Where QEMU has its value when it calls `raise_exception`, if that is known and the guest's definition gives it one. */
  readonly value: TrapValue | undefined;
  /** The value is an instruction, which the definition tells in no fewer bytes; QEMU tells one that looks compressed in two. */
  readonly instructionBytes?: number;
}

/** By QEMU's numbers, which are those of mcause (Volume II, section 3.1.15). */
export type GuestTraps = ReadonlyMap<bigint, GuestTrap>;

export type Read =
  | { readonly kind: "read"; readonly translation: Translation }
  /** A helper that has no definition here. */
  | { readonly kind: "unsupported"; readonly what: string }
  | { readonly kind: "error"; readonly reason: string };

class Unsupported extends Error {}
class Mismatch extends Error {}

export function readTranslation(block: LoggedBlock, prologue: LoggedPrologue, traps: GuestTraps): Read {
  const decoded = decodeCode(block.address, block.code);
  if ("error" in decoded) return { kind: "unsupported", what: decoded.error };
  try {
    return { kind: "read", translation: new Reading(block, prologue, traps, decoded.instructions).translation() };
  } catch (error) {
    if (error instanceof Unsupported) return { kind: "unsupported", what: error.message };
    if (error instanceof Mismatch) return { kind: "error", reason: `log line ${block.line}: ${error.message}` };
    throw error;
  }
}

class Reading {
  private readonly block: LoggedBlock;
  private readonly prologue: LoggedPrologue;
  private readonly traps: GuestTraps;
  private readonly instructions: readonly HostInstruction[];
  private readonly entryPc: bigint;
  private readonly exits: Exit[] = [];
  private readonly points: Point[] = [];
  /** Of the intermediate code, those that are still to be met. */
  private readonly calls: Operation[];
  private readonly exitOps: Operation[];
  /** `br` and `goto_tb`: each is one jump inside the block. */
  private readonly jumps: Operation[];
  private readonly chains: (bigint | undefined)[];
  private readonly aligned: Operation[];
  private readonly slowPaths: { readonly host: bigint; readonly guest: bigint; readonly stores: boolean }[] = [];
  private descriptor: bigint | undefined;

  constructor(
    block: LoggedBlock,
    prologue: LoggedPrologue,
    traps: GuestTraps,
    instructions: readonly HostInstruction[],
  ) {
    const [entryPc] = block.boundaries;
    if (entryPc === undefined) throw new Mismatch("the log has no intermediate code of the block (-d op_opt)");
    this.block = block;
    this.prologue = prologue;
    this.traps = traps;
    this.instructions = instructions;
    this.entryPc = entryPc;
    const named = (name: string): Operation[] => block.operations.filter((o) => o.name === name);
    this.calls = named("call");
    this.exitOps = named("exit_tb");
    this.jumps = block.operations.filter((o) => o.name === "br" || o.name === "goto_tb");
    this.chains = chainTargets(block.operations);
    this.aligned = block.operations.filter((o) => /^qemu_(?:ld|st)/.test(o.name) && o.operands.some(mustBeAligned));
  }

  translation(): Translation {
    for (const [i, instruction] of this.instructions.entries()) this.visit(i, instruction);
    const left = [...this.calls, ...this.exitOps, ...this.aligned, ...this.jumps];
    if (left.length > 0) throw new Mismatch(`the host code lacks ${left.map((o) => o.name).join(", ")}`);
    const { address, code, pool } = this.block;
    return relocate(
      {
        host: { address, code, data: pool.length > 0 ? [{ address: address + BigInt(code.length), bytes: pool }] : [] },
        entry: address,
        points: this.points,
        faults: this.faults(),
        exits: [...this.exits, ...this.misaligned()],
        calls: [],
      },
      this.prologue,
      this.instructions,
    );
  }

  private faults(): FaultEntry[] {
    const { marks, marksEnd } = this.block;
    return marks
      .map(({ host, guest }, i) => ({ host, until: marks[i + 1]?.host ?? marksEnd, guest }))
      .filter((entry) => entry.host < entry.until);
  }

  private visit(at: number, instruction: HostInstruction): void {
    const { mnemonic, operands } = instruction.decoded;
    if (mnemonic === "call") this.call(at, instruction);
    if (mnemonic !== "jmp") return;
    const target = targetOf(instruction);
    const { address, code } = this.block;
    if (target !== undefined && target >= address && target < address + BigInt(code.length)) this.jump(instruction);
    else if (target !== undefined) this.exit(at, instruction, target);
    else if (operands[0]?.kind === "memory") this.slowPath(at, instruction);
    // A jump to a register belongs to the call of lookup_tb_ptr before it, where the translation has been left.
    else if (this.callAt.get(at - 1) !== "lookup_tb_ptr")
      throw new Mismatch(`an indirect jump at ${hex(instruction.address)}`);
  }

  /** Names of the calls by the instruction's index. */
  private readonly callAt = new Map<number, string>();

  private call(at: number, instruction: HostInstruction): void {
    const operation = this.calls.shift();
    const [name, , , ...rest] = operation?.operands ?? [];
    if (name === undefined)
      throw new Mismatch(`a call at ${hex(instruction.address)} that the intermediate code lacks`);
    this.callAt.set(at, name);
    switch (name) {
      case "lookup_tb_ptr": {
        const next = this.instructions[at + 1];
        const [to] = next?.decoded.operands ?? [];
        const jumps =
          next?.decoded.mnemonic === "jmp" && to?.kind === "register" && to.index === RAX && to.width === 64;
        if (!isMove(this.instructions[at - 1], RDI, RBP) || !jumps)
          throw new Mismatch(`lookup_tb_ptr is not called with the guest's state at ${hex(instruction.address)}`);
        this.exits.push({ host: instruction.address, guest: undefined, interrupt: false, trap: undefined });
        return;
      }
      case "raise_exception": {
        const before = [this.instructions[at - 1], this.instructions[at - 2]];
        const cause = before.map((b) => constantIn(b, RSI)).find((value) => value !== undefined);
        if (!before.some((b) => isMove(b, RDI, RBP)) || cause === undefined || rest[1] !== `$${hex(cause)}`)
          throw new Mismatch(`raise_exception is not called with the trap's number at ${hex(instruction.address)}`);
        const trap = this.traps.get(cause);
        if (trap === undefined) throw new Unsupported(`raise_exception of ${cause}`);
        const { name: raised, instructionBytes = 0 } = trap;
        const value = (this.block.instructions.at(-1)?.bytes.length ?? 4) < instructionBytes ? undefined : trap.value;
        this.exits.push({ host: instruction.address, guest: undefined, interrupt: false, trap: raised, value });
        return;
      }
      default:
        throw new Unsupported(this.helpers().join(", "));
    }
  }

  /** Of the whole block, each once. */
  private helpers(): readonly string[] {
    const called = this.block.operations.flatMap((o) => (o.name === "call" ? o.operands.slice(0, 1) : []));
    return [...new Set(called)].filter((name) => !KNOWN_HELPERS.includes(name)).map((name) => `helper_${name}`);
  }

  private jump(instruction: HostInstruction): void {
    const operation = this.jumps.shift();
    if (operation === undefined)
      throw new Mismatch(`a jump at ${hex(instruction.address)} that the intermediate code lacks`);
    if (operation.name === "goto_tb") this.chain(instruction);
  }

  private chain(instruction: HostInstruction): void {
    if (targetOf(instruction) !== instruction.end || instruction.decoded.length !== LONG_JUMP)
      throw new Mismatch(`the jump at ${hex(instruction.address)} is none that QEMU could patch`);
    const guest = this.chains.shift();
    if (guest === undefined) throw new Mismatch("goto_tb without a pc behind it");
    // Behind a jump back into the block the exit says the same; as a point it could be taken for the first pass through there.
    if (!this.block.boundaries.includes(guest)) this.points.push({ host: instruction.address, guest, cut: false });
  }

  private exit(at: number, instruction: HostInstruction, target: bigint): void {
    const [printed] = this.exitOps.shift()?.operands ?? [];
    if (printed === undefined) throw new Mismatch(`a jump out of the block at ${hex(instruction.address)}`);
    const value = BigInt(printed.slice(1));
    const offset = target - this.prologue.address;
    const returned = offset === EXIT_WITH_ZERO ? 0n : constantIn(this.instructions[at - 1], RAX);
    if ((offset !== EPILOGUE && offset !== EXIT_WITH_ZERO) || returned !== value)
      throw new Mismatch(`the jump out of the block at ${hex(instruction.address)} is no exit_tb ${printed}`);
    const why = value & 3n;
    if (value !== 0n) {
      this.descriptor ??= value - why;
      if (this.descriptor !== value - why) throw new Mismatch(`exit_tb ${printed} is for another block`);
    }
    const interrupt = why === REQUESTED;
    const guest = interrupt ? this.entryPc : undefined;
    this.exits.push({ host: instruction.address, guest, interrupt, trap: undefined });
  }

  /** `mov rsi, address; mov rdi, rbp; lea rax, [the access]; push rax; jmp helper_unaligned_…`. */
  private slowPath(at: number, instruction: HostInstruction): void {
    const access = this.aligned.shift();
    const [push, lea, move] = [1, 2, 3].map((back) => this.instructions[at - back]);
    const pushed = push?.decoded.operands[0];
    const returns = constantIn(lea, RAX);
    if (
      access === undefined ||
      push?.decoded.mnemonic !== "push" ||
      pushed?.kind !== "register" ||
      pushed.index !== RAX
    )
      throw new Mismatch(`an indirect jump at ${hex(instruction.address)}`);
    if (!isMove(move, RDI, RBP) || returns === undefined)
      throw new Mismatch(`the slow path at ${hex(instruction.address)} does not tell the access`);
    // QEMU looks up the byte two before the return address (GETPC_ADJ in accel/tcg/internal.h).
    const where = returns - 2n;
    const entry = this.faults().find((f) => where >= f.host && where < (f.until ?? f.host + 1n));
    const stores = access.name.startsWith("qemu_st");
    const operands = this.instructions.find((i) => i.address === returns)?.decoded.operands;
    if (operands?.[stores ? 0 : 1]?.kind !== "memory")
      throw new Mismatch(`the slow path at ${hex(instruction.address)} is not for ${access.name}`);
    if (entry === undefined)
      throw new Mismatch(`the slow path at ${hex(instruction.address)} is for no guest instruction`);
    this.slowPaths.push({ host: push.address, guest: entry.guest, stores });
  }

  /**
   * Both helpers end in SIGBUS, with the address that rsi holds; which trap that is, is for the instruction to say: of one that loads and
   * stores it is a store's.
   */
  private misaligned(): Exit[] {
    return this.slowPaths.map(({ host, guest }) => {
      const stores = this.slowPaths.some((other) => other.guest === guest && other.stores);
      const trap = this.traps.get(stores ? STORE_MISALIGNED : LOAD_MISALIGNED);
      if (trap === undefined) throw new Unsupported("helper_unaligned: the guest has no trap for misaligned addresses");
      return { host, guest, interrupt: false, trap: trap.name, value: { kind: "register", register: "rsi" } };
    });
  }
}

/** That are an exit here. */
const KNOWN_HELPERS = ["lookup_tb_ptr", "raise_exception"];

/** Bytes of a jump with 32 bits of displacement, which QEMU can patch. */
const LONG_JUMP = 5;

const LOAD_MISALIGNED = 4n;
const STORE_MISALIGNED = 6n;

/** An access's operand `al+leq`, but neither `leq` nor `al+ub`: a byte is always aligned. */
function mustBeAligned(operand: string): boolean {
  return /^al\d*\+le/.test(operand);
}

/** The pc that is stored behind each `goto_tb`, in order. */
function chainTargets(operations: readonly Operation[]): (bigint | undefined)[] {
  const targets: (bigint | undefined)[] = [];
  for (const [i, operation] of operations.entries()) {
    if (operation.name !== "goto_tb") continue;
    const [pc, value] = operations[i + 1]?.operands ?? [];
    targets.push(pc === "pc" && value?.startsWith("$0x") === true ? BigInt(value.slice(1)) : undefined);
  }
  return targets;
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
