/**
 * Translators: programs that turn a guest's machine code into a host's, block by block, and show it. What they answer is validated
 * block by block, for all register and memory contents. An implementation's module (`translator: { module: … }` in a refinement
 * file) exports a `TranslatorFactory` as default.
 */
import type { Missing } from "./emulator.js";
import type { Decode } from "./execute/decoded.js";
import type { Engine } from "./execute/engine.js";
import type { State } from "./execute/state.js";
import type { Instruction, Machine } from "./machine.js";
import type { Environment } from "./terms/evaluate.js";
import type { Access, Term } from "./terms/term.js";
import type { Decisions } from "./translation/quantity.js";

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

/**
 * The abstraction holds where the host is about to execute `host`, and there the guest's program counter is `guest`: a number, or where
 * the guest's address is open a term.
 */
export interface Point<Guest = bigint> {
  readonly host: bigint;
  readonly guest: Guest;
  /**
   * The validation is cut in two here: what follows may rely on the abstraction alone. It is so in any case where a jump leads back
   * to the point.
   */
  readonly cut: boolean;
  /** The view of the refinement that holds here instead of its abstraction. */
  readonly view?: string | undefined;
}

/** Which guest instruction a fault at a host instruction belongs to. */
export interface FaultEntry<Guest = bigint> {
  /** Address of the host instruction, or of the first of those up to `until`. */
  readonly host: bigint;
  /** The first address behind the range; `undefined` where the entry is for the instruction at `host` alone. */
  readonly until: bigint | undefined;
  readonly guest: Guest;
  /** As of a point. */
  readonly view?: string | undefined;
}

/** Where the host has the value of a trap (an address, an instruction's word) as it leaves; what it has is extended by zeros. */
export type TrapValue<Guest = bigint> =
  | { readonly kind: "constant"; readonly value: Guest }
  | { readonly kind: "register"; readonly register: string }
  /** So many bytes at a distance from the base of a region of the host's own. */
  | { readonly kind: "memory"; readonly region: string; readonly offset: bigint; readonly bytes: number };

/** Where the host is about to execute `host` (a return, a jump to another block), it leaves the translation. */
export interface Exit<Guest = bigint> {
  readonly host: bigint;
  /**
   * The guest's program counter there. `undefined` where it is not one constant, as behind an indirect jump: the abstraction then
   * gives the program counter too. Where the guest can come there more than once before it leaves the block, a fault map that covers
   * the exit tells after which instruction it does.
   */
  readonly guest: Guest | undefined;
  /** The host may leave here before anything is done, to take an interrupt: the guest has executed nothing since the entry. */
  readonly interrupt: boolean;
  /**
   * The name of a trap of the guest's: the host leaves to have it raised, with the guest about to execute the instruction at `guest`
   * that raises it (a system call, an illegal instruction). Without `guest` it is the instruction that the fault map says, and the
   * abstraction must give its address.
   */
  readonly trap: string | undefined;
  /** Of the trap, where the guest's definition gives it one. Where it is not said, nothing is known of it. */
  readonly value?: TrapValue<Guest> | undefined;
  /** As of a point. */
  readonly view?: string | undefined;
}

/** A host function that the code calls. */
export interface HelperCall {
  readonly address: bigint;
  readonly name: string;
}

/** Every host address of `entry`, `points`, `faults` and `exits` lies in `host.code`, on the boundary of an instruction. */
export interface Translation<Guest = bigint> {
  readonly host: HostCode;
  readonly entry: bigint;
  readonly points: readonly Point<Guest>[];
  readonly faults: readonly FaultEntry<Guest>[];
  readonly exits: readonly Exit<Guest>[];
  readonly calls: readonly HelperCall[];
}

export type TranslationAnswer =
  | { readonly kind: "translated"; readonly translation: Translation }
  /** It says that it does not translate this, and what: `fence.i`, `helper_fadd_d`. */
  | { readonly kind: "unsupported"; readonly what: string }
  /** It ought to have translated and did not: it died, took too long, answered something else. The run goes on with the next block. */
  | { readonly kind: "error"; readonly reason: string };

/** An instruction of which some numbers are open. */
export interface OpenInstruction {
  readonly instruction: Instruction;
  /**
   * Terms of the fields' widths. A register that is no constant is one that is none of the constants and x0 if there is one, and two are
   * the same register if and only if their terms are the same.
   */
  readonly fields: ReadonlyMap<string, Term>;
}

/** Guest code some of whose numbers are open. */
export interface OpenRequest {
  /** Of 64 bits. */
  readonly pc: Term;
  readonly instructions: readonly OpenInstruction[];
  /** Asked of everything that the answer depends on. */
  readonly decisions: Decisions;
}

/** Bytes of host code that hold an open number: the low `bytes` of `value`, lowest first. */
export interface Hole {
  /** From the beginning of the code. */
  readonly at: number;
  readonly bytes: number;
  /** Of 64 bits. */
  readonly value: Term;
}

/** A translation for all values of the open numbers for which the answers that were given hold. */
export interface OpenTranslation extends Translation<Term> {
  readonly holes: readonly Hole[];
}

export type OpenAnswer =
  /** `translation` fills the holes with the numbers of one case, which it is told when all is decided. */
  | { readonly kind: "translated"; readonly translation: (values: Environment) => OpenTranslation }
  | { readonly kind: "unsupported"; readonly what: string };

/** What a translator offers that can answer for all values of its operands at once. */
export interface OpenTranslator {
  /** Asks nothing but the request what it depends on, so that another run with the same answers gives the same. */
  translate(request: OpenRequest): OpenAnswer;
  /**
   * Names of the guest's instructions, one for each way in which what is translated before or behind changes a translation: these are
   * validated in twos and threes as well.
   */
  readonly together: readonly string[];
}

/** A block to validate. The name is unique among a translator's blocks and names its obligations: `commute/NAME/…`. */
export interface GuestBlock extends TranslationRequest {
  readonly name: string;
  /** What stands in the way of its being translated, where that is known beforehand: it is not asked for. */
  readonly unsupported?: string;
}

export interface BlockOptions {
  /** Roughly how many; a source that is finite may give fewer. */
  readonly count: number;
  readonly seed: number;
  /** Absolute path of an ELF file: the blocks of that program instead of a sweep over the instruction set. */
  readonly elf: string | undefined;
}

/** A block to be run by the translator itself. */
export interface RealRun extends TranslationRequest {
  /** The guest's state before; memory is accessible unless `denied`. */
  readonly state: State;
  /** The host's, which may hold more than the guest's tells. */
  readonly host: State;
  readonly denied: readonly Denied[];
}

/** Addresses of the guest's to which an access is denied. */
export interface Denied {
  readonly access: Access;
  readonly address: bigint;
  readonly bytes: bigint;
}

export type RealOutcome =
  | {
      readonly kind: "ran";
      /** Where it could not begin in the state that was asked for: the host's state that it began in instead, and what was denied in it. */
      readonly from: { readonly host: State; readonly denied: readonly Denied[] } | undefined;
      /** What is seen of the state after it, scalar by scalar (`x[5]`, `pc`). */
      readonly after: ReadonlyMap<string, bigint>;
      /** The guest's memory after it, as far as it is seen. */
      readonly memory: readonly { readonly address: bigint; readonly bytes: Uint8Array }[];
      /** The trap that ended it is one of these; none where it went on behind the block. */
      readonly traps: readonly string[];
    }
  | { readonly kind: "impossible"; readonly reason: string };

export interface Translator {
  /**
   * One answer a request, in order. The same request is always answered with the same bytes. A request that fails is answered with
   * an `error`; thrown is only what makes every further answer impossible.
   */
  translate(requests: readonly TranslationRequest[], signal: AbortSignal): AsyncIterable<TranslationAnswer>;
  /** Absent where it can answer only for numbers. */
  readonly open?: OpenTranslator | undefined;
  /** The blocks to validate; absent where the project's own sweep over the guest's instructions will do. */
  readonly blocks?: ((options: BlockOptions, signal: AbortSignal) => AsyncIterable<GuestBlock>) | undefined;
  /** Runs a block for real, where the translator can: how a refutation is confirmed. */
  readonly run?: ((run: RealRun, signal: AbortSignal) => Promise<RealOutcome>) | undefined;
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

/**
 * A translator with all that is around it, so that it runs the guest's programs: a module may export one as `engine`. The options are those
 * of the `TranslatorFactory`, a seeded fault included; `decode` reads the host's code.
 */
export type EngineFactory = (guest: Machine, host: Machine, options: unknown, decode: Decode) => Engine;
