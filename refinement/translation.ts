/**
 * Translators: programs that turn a guest's machine code into a host's, block by block, and show it. What they answer is validated
 * block by block, for all register and memory contents. An implementation's module (`translator: { module: … }` in a refinement
 * file) exports a `TranslatorFactory` as default.
 */
import type { Missing } from "./emulator.js";
import type { Machine } from "./machine.js";

/** Guest code to translate: it stands at `pc`, and the translation is entered with the guest about to execute there. */
export interface TranslationRequest {
  readonly pc: bigint;
  readonly code: Uint8Array;
}

/** Bytes of host memory that the code reads and nobody writes: a pool of constants. */
export interface DataBytes {
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

export interface HostCode {
  readonly address: bigint;
  readonly code: Uint8Array;
  readonly data: readonly DataBytes[];
}

/** The abstraction holds where the host is about to execute `host`, and there the guest's program counter is `guest`. */
export interface Point {
  readonly host: bigint;
  readonly guest: bigint;
  /**
   * The validation is cut in two here: what follows may rely on the abstraction alone. It is so in any case where a jump leads back
   * to the point.
   */
  readonly cut: boolean;
}

/** Which guest instruction a fault at a host instruction belongs to. */
export interface FaultEntry {
  /** Address of the host instruction, or of the first of those up to `until`. */
  readonly host: bigint;
  /** The first address behind the range; `undefined` where the entry is for the instruction at `host` alone. */
  readonly until: bigint | undefined;
  readonly guest: bigint;
}

/** Where the host is about to execute `host` (a return, a jump to another block), it leaves the translation. */
export interface Exit {
  readonly host: bigint;
  /**
   * The guest's program counter there. `undefined` where it is not one constant, as behind an indirect jump: the abstraction then
   * gives the program counter too. Where the guest can come there more than once before it leaves the block, a fault map that covers
   * the exit tells after which instruction it does.
   */
  readonly guest: bigint | undefined;
  /** The host may leave here before anything is done, to take an interrupt: the guest has executed nothing since the entry. */
  readonly interrupt: boolean;
  /**
   * The name of a trap of the guest's: the host leaves to have it raised, with the guest about to execute the instruction at `guest`
   * that raises it (a system call, an illegal instruction). Without `guest` it is the instruction that the fault map says, and the
   * abstraction must give its address.
   */
  readonly trap: string | undefined;
}

/** A host function that the code calls. */
export interface HelperCall {
  readonly address: bigint;
  readonly name: string;
}

/** Every host address of `entry`, `points`, `faults` and `exits` lies in `host.code`, on the boundary of an instruction. */
export interface Translation {
  readonly host: HostCode;
  readonly entry: bigint;
  readonly points: readonly Point[];
  readonly faults: readonly FaultEntry[];
  readonly exits: readonly Exit[];
  readonly calls: readonly HelperCall[];
}

export type TranslationAnswer =
  | { readonly kind: "translated"; readonly translation: Translation }
  /** It says that it does not translate this, and what: `fence.i`, `helper_fadd_d`. */
  | { readonly kind: "unsupported"; readonly what: string }
  /** It ought to have translated and did not: it died, took too long, answered something else. The run goes on with the next block. */
  | { readonly kind: "error"; readonly reason: string };

/** A block to validate. The name is unique among a translator's blocks and names its obligations: `commute/NAME/…`. */
export interface GuestBlock extends TranslationRequest {
  readonly name: string;
}

export interface BlockOptions {
  /** Roughly how many; a source that is finite may give fewer. */
  readonly count: number;
  readonly seed: number;
  /** Absolute path of an ELF file: the blocks of that program instead of a sweep over the instruction set. */
  readonly elf: string | undefined;
}

export interface Translator {
  /**
   * One answer a request, in order. The same request is always answered with the same bytes. A request that fails is answered with
   * an `error`; thrown is only what makes every further answer impossible.
   */
  translate(requests: readonly TranslationRequest[], signal: AbortSignal): AsyncIterable<TranslationAnswer>;
  /** The blocks to validate; absent where the project's own sweep over the guest's instructions will do. */
  readonly blocks?: ((options: BlockOptions, signal: AbortSignal) => AsyncIterable<GuestBlock>) | undefined;
  /** Everything an answer depends on, for the cache and the report: the program's version, the host's features. */
  readonly identity: string;
  close(): Promise<void>;
}

/** Throws a `UserError` where the options are wrong. */
export type TranslatorFactory = (
  guest: Machine,
  options: unknown,
  directory: string,
) => Promise<{ readonly translator: Translator } | { readonly missing: readonly Missing[] }>;
