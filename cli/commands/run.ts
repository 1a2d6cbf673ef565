import type { Command } from "commander";
import { UserError } from "../../refinement/errors.js";
import type { Engine } from "../../refinement/execute/engine.js";
import type { EbpfOptions } from "../../refinement/execute/ebpf.js";
import type { ProgramSource, RunResult } from "../../refinement/execute/run.js";
import type { Machine } from "../../refinement/machine.js";
import { instructionSetOf, machineNamed, refinementNamed } from "../load.js";
import { integerOption } from "../options.js";
import { commonOptions, type Session, session } from "../session.js";
import type { CommonOptions, Output } from "../terminal/output.js";
import { duration } from "../terminal/progress.js";
import { readInput, writableFile, writeOutput } from "../files.js";

interface RunOptions extends CommonOptions {
  readonly hex?: boolean;
  readonly trace?: boolean;
  readonly signature?: string;
  readonly maxSteps?: number;
  readonly stdin?: string;
  readonly context?: string;
  readonly section?: string;
  readonly entry?: string;
  readonly on?: string;
  readonly fault?: string;
}

export function addRun(program: Command): Command {
  return commonOptions(program.command("run"))
    .description("run a program on the simulator derived from a machine's definition")
    .argument("<MACHINE>", "a name from `commute list`, or a path to a machine file")
    .argument("<PROGRAM>", "an ELF file (for eBPF an object file); with --hex instruction bytes in memory order")
    .argument("[ARG...]", "arguments of the program (behind --, if they begin with a dash)")
    .option("--hex", "PROGRAM is not a file but bytes in hexadecimal")
    .option("--trace", "print every instruction and what it changes, on stderr")
    .option("--signature <FILE>", "write the memory from begin_signature to end_signature there")
    .option("--max-steps <N>", "stop after so many instructions", integerOption(1))
    .option("--stdin <FILE>", "what the program reads; - for standard input (default: nothing)")
    .option("--context <HEX>", "eBPF: the bytes that r1 points to, r2 being their number (default: none)")
    .option("--section <NAME>", "eBPF: the section to begin with, where the object has several")
    .option("--entry <NAME>", "eBPF: the function to begin with, likewise")
    .option(
      "--on <REFINEMENT>",
      "run it on that translator's code, on the simulator of the host, instead of the machine's own",
    )
    .option("--fault <NAME>", "with --on: with that seeded fault planted")
    .addHelpText(
      "after",
      `
The exit code is the program's own. A bare machine's \`halted\` is 0; a trap that nobody handles is 128 plus the signal
that Linux would send; 132 for an instruction that the machine lacks; 152 when --max-steps are done. With --json the program's output is in the document.
An eBPF program's result, r0, is printed, and its lowest byte is the exit code; its context after it is in the document.

Examples:
  commute run rv64im ./sort
  riscv64-linux-gnu-gcc -static -O2 hello.c -o hello && commute run rv64u_fd ./hello
  commute run --trace --hex rv32i '13057000 9308d005 73000000'
  commute run rv64imac_zba_zbb ./sort --on translator
  commute run ebpf filter.o --entry classify --context 0800450000140000`,
    )
    .action((machine: string, file: string, args: readonly string[], options: RunOptions) =>
      session(options, (s) => run(machine, file, args, options, s)),
    );
}

async function run(
  name: string,
  argument: string,
  args: readonly string[],
  options: RunOptions,
  { out, signal }: Session,
): Promise<number> {
  if (options.signature !== undefined) await writableFile(options.signature, "--signature");
  if (options.fault !== undefined && options.on === undefined) throw new UserError("--fault needs --on");
  const { machine, engine } =
    options.on === undefined
      ? { machine: await machineNamed(name), engine: undefined }
      : await translated(name, options.on, options);
  if (machine.decoded === undefined) instructionSetOf(machine, "run");
  const source: ProgramSource =
    options.hex === true
      ? { kind: "hex", text: argument }
      : { kind: "elf", file: argument, bytes: await readInput(argument) };
  const stdin = options.stdin === undefined ? undefined : await readInput(options.stdin);
  const { runProgram } = await import("../../refinement/execute/run.js");
  const { bytesOfHex } = await import("../../refinement/execute/image.js");
  const [stdout, stderr] = [sink(out, process.stdout), sink(out, process.stderr)];
  const result = await runProgram(machine, source, {
    ...(stdin === undefined ? {} : { stdin }),
    stdout: stdout.write,
    stderr: stderr.write,
    maxSteps: options.maxSteps,
    trace: options.trace === true ? (line) => out.complain(line) : undefined,
    arguments: [argument, ...args],
    signal,
    engine,
    ...ebpfOptions(options, bytesOfHex),
  });
  if (options.signature !== undefined) await writeOutput(options.signature, result.signature(), "--signature");
  const { exitCode, reason, message, steps, seconds, returned } = result;
  out.json({
    version: 1,
    machine: machine.name,
    exitCode,
    reason,
    message: message ?? null,
    steps,
    seconds,
    ...(returned === undefined ? {} : { r0: returned.r0, context: Buffer.from(returned.context).toString("hex") }),
    stdout: stdout.text(),
    stderr: stderr.text(),
  });
  if (!out.isJson) summarize(result, options.on === undefined ? "instructions" : "host instructions", out);
  return exitCode;
}

/** The machine, and what runs its programs as translated code. */
async function translated(
  name: string,
  on: string,
  { trace, fault }: RunOptions,
): Promise<{ readonly machine: Machine; readonly engine: Engine }> {
  const refinement = await refinementNamed(on, fault);
  if (trace === true) throw new UserError("--trace shows the machine's own simulator at work; leave --on away");
  if (refinement.form !== "translator" || refinement.host.decoded === undefined)
    throw new UserError(`${refinement.name} is no translator`);
  const { decoderLibrary } = await import("../../refinement/assembly/library.js");
  const { enginesOf } = await import("../../refinement/translation/open.js");
  const { decode } = await decoderLibrary(refinement.host.decoded);
  const engines = await enginesOf(refinement, decode);
  if (engines === undefined) throw new UserError(`${refinement.name} has no runtime: it translates, and runs nothing`);
  const machine = await machineNamed(name);
  if (machine.digest !== refinement.guest.digest)
    throw new UserError(`${refinement.name} translates ${refinement.guest.name}, not ${machine.name}`);
  return { machine: refinement.guest, engine: engines() };
}

function ebpfOptions(
  { context, section, entry }: RunOptions,
  bytesOf: (text: string) => Uint8Array,
): { readonly ebpf?: EbpfOptions } {
  if (context === undefined && section === undefined && entry === undefined) return {};
  return { ebpf: { context: context === undefined ? undefined : bytesOf(context), section, entry } };
}

/** What the program writes goes where it would go; with --json it is kept for the document. */
function sink(out: Output, stream: NodeJS.WriteStream): { write(bytes: Uint8Array): void; text(): string } {
  const kept: Uint8Array[] = [];
  return {
    write(bytes) {
      if (out.isJson) kept.push(bytes.slice());
      else stream.write(bytes.slice());
    },
    text: () => Buffer.concat(kept).toString("utf8"),
  };
}

function summarize({ message, steps, seconds, returned }: RunResult, what: string, out: Output): void {
  if (returned !== undefined) out.line(`r0 = 0x${returned.r0.toString(16)}`);
  if (message !== undefined) out.complain(message);
  const rate = seconds > 0 ? `, ${(steps / seconds / 1e6).toFixed(1)} million/s` : "";
  out.note(`${steps.toLocaleString("en-US")} ${what} in ${duration(seconds)}${rate}`);
}
