/**
 * A counterexample: everything needed to see a diagram that does not commute, and to run it again.
 * The file format is YAML with these keys (docs/formats; schema/counterexample.schema.json).
 */

/** One host step of a schedule. */
export interface ScheduledStep {
  readonly transition: string;
  /** Parameter and choice values by name. */
  readonly arguments: Readonly<Record<string, bigint>>;
}

/** A variable, or an element of a file, or bytes of memory, that differs. Values as the notation writes them. */
export interface Difference {
  readonly variable: string;
  readonly guest: string;
  readonly host: string;
}

export interface Code {
  /** Instruction bytes in memory order, hexadecimal, a space between instructions. */
  readonly code: string;
  readonly assembly: readonly string[];
  readonly pc: bigint;
}

/** Findings by name, and where they are told. */
export interface KnownFindings {
  readonly findings: readonly string[];
  readonly see: string;
}

/** Findings that explain a refutation wholly; or whether they do was neither proved nor refuted, for want of time as a rule. */
export type Explanation = KnownFindings | "undecided";

/** `known: ctzw, docs/findings.md` */
export function explanationText(known: Explanation): string {
  if (known === "undecided") return "not decided whether a known finding explains it";
  return `known: ${known.findings.join(" and ")}, ${known.see}`;
}

export interface Counterexample {
  /** One line that says what is wrong. */
  readonly title: string;
  readonly refinement: string;
  readonly obligation: string;
  /** The seeded fault it was found with. */
  readonly fault: string | undefined;
  readonly found: {
    readonly by: string;
    readonly solver: string | undefined;
    readonly seed: number | undefined;
    readonly date: string;
    /** What the translator itself did when it was run from this state; absent where it cannot be, or was not. */
    readonly run?: string | undefined;
    /** Findings that were examined before, which explain all that is wrong with the obligation; absent where they do not. */
    readonly known?: Explanation | undefined;
  };
  /** Digests of the machines it was found on: a changed machine is noticed. */
  readonly machines: { readonly guest: string; readonly host: string };
  /** The guest instructions concerned, for the reader; replay does not need them. */
  readonly guest: Code | undefined;
  readonly host: Code | undefined;
  /**
   * The host state before the first step, by scalar: `ex.valid`, `x[11]`; memory as `mem[0x1000]: "b3027300"`, bytes in
   * address order. What is not named is zero.
   */
  readonly state: Readonly<Record<string, bigint | string>>;
  /** Bytes to which the environment denies an access. All others are accessible. */
  readonly inaccessible: readonly {
    readonly memory: string;
    readonly access: "fetch" | "load" | "store";
    readonly address: bigint;
    readonly bytes: bigint;
  }[];
  /** Host steps, the last of which is the one that goes wrong. Empty for an obligation about a state alone. */
  readonly schedule: readonly ScheduledStep[];
  readonly differs: readonly Difference[];
  readonly expect: "refuted" | "holds";
  /** What distinguishes one bug from another. */
  readonly cause: { readonly obligation: string; readonly variable: string };
}
