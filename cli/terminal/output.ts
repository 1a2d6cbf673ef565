/** What a command says: its result on stdout, everything else on stderr. */
import pc from "picocolors";
import { Progress } from "./progress.js";

export interface CommonOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  /** False with --no-color. */
  readonly color: boolean;
}

export type Colors = ReturnType<typeof pc.createColors>;

export class Output {
  readonly isJson: boolean;
  readonly isQuiet: boolean;
  /** For what goes to stdout. */
  readonly colors: Colors;
  /** For what goes to stderr. */
  readonly noteColors: Colors;
  readonly progress: Progress;

  constructor(options: CommonOptions, environment: NodeJS.ProcessEnv = process.env) {
    this.isJson = options.json === true;
    this.isQuiet = options.quiet === true;
    this.colors = pc.createColors(!this.isJson && isColored(process.stdout, options, environment));
    this.noteColors = pc.createColors(isColored(process.stderr, options, environment));
    const bar = process.stderr.isTTY === true && !isSet(environment["CI"]) && environment["TERM"] !== "dumb";
    this.progress = new Progress(process.stderr, this.isQuiet ? "none" : bar ? "bar" : "lines");
  }

  /** A part of the human-readable result. */
  line(text = ""): void {
    if (this.isJson) return;
    this.progress.clear();
    process.stdout.write(`${text}\n`);
  }

  /** A part of the human-readable result that a reader in a hurry does without. */
  detail(text = ""): void {
    if (!this.isQuiet) this.line(text);
  }

  /** Something to know that is not the result. */
  note(text: string): void {
    if (this.isQuiet) return;
    this.progress.clear();
    process.stderr.write(`${text}\n`);
  }

  /** What must be seen whatever the options. */
  complain(text: string): void {
    this.progress.clear();
    process.stderr.write(`${text}\n`);
  }

  /** The one JSON document of a command. */
  json(document: unknown): void {
    if (this.isJson) process.stdout.write(`${JSON.stringify(document, jsonValue, 2)}\n`);
  }
}

/** JSON has no big integers: they are written as the notation writes them. */
function jsonValue(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `0x${value.toString(16)}` : value;
}

function isColored(stream: NodeJS.WriteStream, options: CommonOptions, environment: NodeJS.ProcessEnv): boolean {
  if (!options.color || isSet(environment["NO_COLOR"])) return false;
  if (isSet(environment["FORCE_COLOR"])) return environment["FORCE_COLOR"] !== "0";
  return stream.isTTY === true && !isSet(environment["CI"]) && environment["TERM"] !== "dumb";
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== "";
}
