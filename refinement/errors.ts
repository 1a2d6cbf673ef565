/**
 * The classes of errors (a guest's trap is none of them: it is part of the machine).
 */

/** A place in a file; line and column count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One thing wrong with a user's input: what, where, and the remedy. */
export interface Diagnostic {
  /** `E_…`; every code is documented in docs/errors.md. */
  readonly code: string;
  readonly place: Place;
  /** Quotes the offending text, says what was expected and how to mend it. */
  readonly message: string;
}

function diagnosticToString(d: Diagnostic): string {
  return `${d.place.file}:${d.place.line}:${d.place.column}: ${d.code}: ${d.message}`;
}

/** A user's mistake: wrong use or a file in error. Exit code 2. */
export class UserError extends Error {
  readonly diagnostics: readonly Diagnostic[];
  constructor(message: string, diagnostics: readonly Diagnostic[] = []) {
    super(message);
    this.name = "UserError";
    this.diagnostics = diagnostics;
  }

  static from(diagnostics: readonly Diagnostic[]): UserError {
    return new UserError(diagnostics.map(diagnosticToString).join("\n"), diagnostics);
  }
}

/** Something around us failed: a solver died, a translator hung. Never a verdict about the VM. */
export class EnvironmentFailure extends Error {
  /** What failed: `z3-wasm`, `qemu-riscv64`, a file's path. */
  readonly what: string;
  constructor(what: string, message: string, options?: ErrorOptions) {
    super(`${what}: ${message}`, options);
    this.name = "EnvironmentFailure";
    this.what = what;
  }
}

/** A bug of ours. Says so, and what to send. */
export class InternalDefect extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "InternalDefect";
  }
}

/** The default of every switch over a closed union. */
export function unreachable(value: never): never {
  throw new InternalDefect(`a case that cannot be: ${JSON.stringify(value)}`);
}
