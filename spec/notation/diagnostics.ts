/** Collects what is wrong with a file: everything at once, each mistake once. */
import { distance } from "fastest-levenshtein";
import { type Diagnostic, type Place, UserError } from "../../refinement/errors.js";

/** Every code; docs/errors.md explains each. */
export type Code =
  | "E_FILE"
  | "E_SIZE"
  | "E_YAML"
  | "E_STRUCTURE"
  | "E_KEY"
  | "E_DUPLICATE"
  | "E_SYNTAX"
  | "E_SIGN"
  | "E_NESTING"
  | "E_UNKNOWN"
  | "E_TYPE"
  | "E_WIDTH"
  | "E_CONTEXT"
  | "E_LITERAL"
  | "E_CONSTANT"
  | "E_RANGE"
  | "E_ARGUMENTS"
  | "E_AMBIGUOUS"
  | "E_ASSIGN"
  | "E_RECURSION"
  | "E_MATCH"
  | "E_LOOP"
  | "E_TRAP"
  | "E_RAISE"
  | "E_CHOOSE"
  | "E_VALUE"
  | "E_FIXED"
  | "E_EXTENDS"
  | "E_OVERRIDE"
  | "E_MEMOIZED"
  | "E_HANDLER"
  | "E_PARAMETER"
  | "E_ENCODING"
  | "E_FIELD"
  | "E_OVERLAP"
  | "E_ASSEMBLY"
  | "E_FETCH"
  | "E_REGISTERS"
  | "E_UNSUPPORTED"
  | "E_ABSTRACTION"
  | "E_STEPS"
  | "E_RANK"
  | "E_MATERIALIZE"
  | "E_CONCRETIZE"
  | "E_FAULT"
  | "E_EMULATOR"
  | "E_TRANSLATOR";

interface Found extends Diagnostic {
  readonly code: Code;
}

export class Diagnostics {
  /** Whether definitions are looked at for mistakes where nothing else needs it: a function that nobody calls. */
  readonly thorough: boolean;
  private readonly found = new Map<string, Found>();
  private readonly places = new Set<string>();

  constructor(thorough = true) {
    this.thorough = thorough;
  }

  report(code: Code, place: Place, message: string): void {
    const at = `${place.file}:${place.line}:${place.column}`;
    const key = `${at}:${code}:${message}`;
    if (!this.found.has(key)) this.found.set(key, { code, place, message });
    this.places.add(at);
  }

  /** What is wrong with an expression: one mistake a place, however many times an inlined body is looked at. */
  reportOnce(code: Code, place: Place, message: string): void {
    if (!this.places.has(`${place.file}:${place.line}:${place.column}`)) this.report(code, place, message);
  }

  has(code: Code): boolean {
    return [...this.found.values()].some((d) => d.code === code);
  }

  get count(): number {
    return this.found.size;
  }

  /** Ordered by file (as first met), line and column. */
  list(): readonly Found[] {
    const files = [...new Set([...this.found.values()].map((d) => d.place.file))];
    return [...this.found.values()].sort(
      (a, b) =>
        files.indexOf(a.place.file) - files.indexOf(b.place.file) ||
        a.place.line - b.place.line ||
        a.place.column - b.place.column,
    );
  }

  throwIfAny(): void {
    if (this.found.size > 0) throw UserError.from(this.list());
  }
}

/** The known name that a wrong one is closest to, if any is close. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const d = candidate.toLowerCase() === name.toLowerCase() ? 0 : distance(name, candidate);
    if (d < least) {
      least = d;
      best = candidate;
    }
  }
  return best;
}

/** `; did you mean \`…\`?`, or nothing. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const best = nearest(name, known);
  return best === undefined ? "" : `; did you mean \`${best}\`?`;
}

/** `2 arguments (a, b)`, of what takes them. */
export function argumentCount(parameters: readonly { readonly name: string }[]): string {
  if (parameters.length === 0) return "no arguments";
  const names = parameters.map((p) => p.name).join(", ");
  return `${parameters.length} argument${parameters.length === 1 ? "" : "s"} (${names})`;
}
