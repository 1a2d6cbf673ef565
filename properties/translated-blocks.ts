/** Random blocks of the guest's through a translator, run concretely from random states and compared wherever host and guest meet. */
import type { Random } from "fast-check";
import { bytesOfWord } from "../refinement/assembly/words.js";
import type { Counterexample } from "../refinement/counterexample.js";
import { recordOfState } from "../refinement/counterexample-state.js";
import { InternalDefect } from "../refinement/errors.js";
import type { Violation } from "../refinement/execute/commute.js";
import type { Decode } from "../refinement/execute/decoded.js";
import { variableOf } from "../refinement/execute/difference.js";
import type { TranslatorRefinement } from "../refinement/refinement.js";
import { type BlockJudgement, type Whim, WHIMS } from "../refinement/translation/block-run.js";
import { Code } from "../refinement/translation/code.js";
import { ConcreteBlock } from "../refinement/translation/concrete.js";
import { type Disassemble, guestText, hostText } from "../refinement/translation/listing.js";
import { problemOf } from "../refinement/translation/well-formed.js";
import type { GuestBlock, Translation, Translator } from "../refinement/translation.js";
import type { Verdict } from "../refinement/verdict.js";
import { type Anatomy, anatomyOf } from "./anatomy.js";
import { type InstructionsArbitrary, instructions } from "./arbitraries/instructions.js";
import { titleOf } from "./counterexample.js";
import { encodeProgram, type Operation, type Program } from "./program.js";
import { randomAt } from "./random.js";
import { running, type Start } from "./start.js";
import { HostStarts, PC } from "./translated-start.js";
import type { TranslatorTestOptions, TranslatorTestResult } from "./translator.js";

const LONGEST = 32;
/** States for each block: one for each way in which what the host leaves open is taken. */
const STATES = WHIMS.length;
/** Translations and runs spent on making one failing case small. */
const SHRINKS = 400;
/** Different causes are looked for until so many are found. */
const MOST_CAUSES = 5;
/** So far behind the block a jump at its end goes. */
const BEYOND = 2 * LONGEST;

export interface Tools {
  readonly decode: Decode;
  readonly disassemble: Disassemble;
}

interface Translated {
  readonly block: GuestBlock;
  readonly translation: Translation;
  readonly concrete: ConcreteBlock;
}

interface Failing {
  readonly program: Program;
  readonly start: Start;
  readonly whim: Whim;
  readonly violation: Violation;
  readonly translated: Translated;
}

/** Blocks of up to 32 instructions, one after another but for what ends them. */
export async function testBlocks(
  refinement: TranslatorRefinement,
  translator: Translator,
  tools: Tools,
  count: number,
  options: TranslatorTestOptions,
): Promise<readonly TranslatorTestResult[]> {
  return new BlockTests(refinement, translator, tools, options).run(count);
}

class BlockTests {
  private readonly refinement: TranslatorRefinement;
  private readonly translator: Translator;
  private readonly tools: Tools;
  private readonly options: TranslatorTestOptions;
  private readonly anatomy: Anatomy;
  private readonly instructions: InstructionsArbitrary;
  private readonly starts: HostStarts;
  private readonly found = new Map<string, Counterexample>();
  private readonly ended = { left: 0, faulted: 0, outside: 0 };
  private unsupported = 0;

  constructor(refinement: TranslatorRefinement, translator: Translator, tools: Tools, options: TranslatorTestOptions) {
    const anatomy = anatomyOf(refinement.guest);
    if (anatomy === undefined) throw new InternalDefect(`${refinement.guest.name} has no instructions`);
    this.refinement = refinement;
    this.translator = translator;
    this.tools = tools;
    this.options = options;
    this.anatomy = anatomy;
    this.instructions = instructions(refinement.guest);
    this.starts = new HostStarts(refinement);
  }

  async run(count: number): Promise<readonly TranslatorTestResult[]> {
    const { seed, signal, onProgress } = this.options;
    for (let n = 0; n < count && this.found.size < MOST_CAUSES && signal?.aborted !== true; n++) {
      await this.one(randomAt(seed, n));
      onProgress?.(n + 1, count);
    }
    return this.results(count);
  }

  private async one(random: Random): Promise<void> {
    const program = this.draw(random);
    const translated = await this.translate(program);
    if (translated === undefined) {
      this.unsupported++;
      return;
    }
    for (const whim of WHIMS) {
      await new Promise((resolve) => setImmediate(resolve));
      const start = this.starts.draw(random);
      const judgement = judged(translated, start, whim);
      if (judgement.kind === "outside") this.ended.outside++;
      else if (judgement.faulted) this.ended.faulted++;
      else this.ended.left++;
      const violation = judgement.kind === "run" ? judgement.violations.find((v) => v.certain) : undefined;
      if (violation === undefined) continue;
      await this.refuted({ program, start, whim, violation, translated });
      return;
    }
  }

  private draw(random: Random): Program {
    const all = this.instructions.vocabulary(this.instructions.names());
    const straight = new Map([...all].filter(([of]) => of === "plain" || of === "memory"));
    const length = random.nextInt(1, LONGEST);
    return Array.from({ length }, (_, i): Operation => {
      if (i < length - 1) return this.instructions.drawFrom(random, straight);
      const last = this.instructions.drawFrom(random, all);
      return this.instructions.hasTarget(last) ? { ...last, target: BEYOND } : last;
    });
  }

  private blockOf(program: Program): GuestBlock {
    const words = encodeProgram(this.anatomy, program, PC);
    const code = Uint8Array.from(words.flatMap((word) => [...bytesOfWord(this.anatomy.isa, word)]));
    const name = guestText(this.refinement.guest, { pc: PC, code }).assembly.join("; ");
    return { name: name.replaceAll("/", "|"), pc: PC, code };
  }

  /** Undefined where the translator has no translation for it. */
  private async translate(program: Program): Promise<Translated | undefined> {
    const block = this.blockOf(program);
    const signal = this.options.signal ?? new AbortController().signal;
    for await (const answer of this.translator.translate([block], signal)) {
      if (answer.kind !== "translated") return undefined;
      const { translation } = answer;
      const { refinement, tools } = this;
      const code = new Code(refinement, translation, tools.decode);
      if (problemOf(block, translation, code, refinement) !== undefined) return undefined;
      const concrete = new ConcreteBlock(refinement, block.name, block, translation, tools.decode);
      return { block, translation, concrete };
    }
    return undefined;
  }

  private async refuted(failing: Failing): Promise<void> {
    const { translated, violation, start } = await this.shrunk(failing);
    const { refinement, tools, options } = this;
    const { block, translation } = translated;
    const { obligation, differs } = violation;
    const variable = variableOf(differs[0]?.variable ?? "");
    const cause = `${obligation} ${variable}`;
    if (this.found.has(cause)) return;
    this.found.set(cause, {
      title: titleOf(obligation, differs),
      refinement: refinement.name,
      obligation,
      fault: refinement.fault,
      found: { by: "test", solver: undefined, seed: options.seed, date: options.date },
      machines: { guest: refinement.guest.digest, host: refinement.host.digest },
      guest: guestText(refinement.guest, block),
      host: hostText(translation.host, tools.disassemble),
      state: recordOfState(refinement.host, start.state),
      inaccessible: start.inaccessible,
      schedule: [],
      differs,
      expect: "refuted",
      cause: { obligation, variable: differs[0]?.variable ?? "" },
    });
  }

  /** Instructions are taken out, then the state is emptied, as long as the same variable goes wrong in an obligation of the kind. */
  private async shrunk(failing: Failing): Promise<Failing> {
    let best = failing;
    const { whim } = failing;
    let left = SHRINKS;
    const kind = (v: Violation): string => `${v.obligation.split("/")[0]} ${variableOf(v.differs[0]?.variable ?? "")}`;
    const wanted = kind(failing.violation);
    const attempt = async (program: Program, start: Start): Promise<boolean> => {
      left--;
      const translated = program === best.program ? best.translated : await this.translate(program);
      if (translated === undefined) return false;
      const judgement = judged(translated, start, whim);
      const violation = judgement.kind === "run" ? judgement.violations.find((v) => kind(v) === wanted) : undefined;
      if (violation?.certain !== true) return false;
      best = { program, start, whim, violation, translated };
      return true;
    };
    for (let chunk = best.program.length >> 1; chunk > 0; chunk >>= 1) {
      for (let at = 0; at < best.program.length && best.program.length > chunk && left > 0; )
        if (
          !(await attempt(
            best.program.filter((_, i) => i < at || i >= at + chunk),
            best.start,
          ))
        )
          at += chunk;
    }
    for (let again = true; again && left > 0; ) {
      again = false;
      for (const start of this.starts.smaller(best.start)) {
        if (left <= 0) break;
        again = await attempt(best.program, start);
        if (again) break;
      }
    }
    return best;
  }

  private results(count: number): readonly TranslatorTestResult[] {
    const { left, faulted, outside } = this.ended;
    const number = (n: number): string => n.toLocaleString("en-US");
    const notes = [
      `${number(left)} runs of blocks left by an exit, ${number(faulted)} ended in a fault`,
      ...(outside === 0 ? [] : [`${number(outside)} came where nothing is said`]),
      ...(this.unsupported === 0 ? [] : [`${number(this.unsupported)} blocks were not translated`]),
    ];
    const coverage = notes.join(", ");
    if (this.found.size === 0) {
      const verdict: Verdict = { verdict: "tested", cases: count * STATES, seed: this.options.seed };
      return ["commute/*", "materialize/*"].map((name) => ({ name, verdict, coverage }));
    }
    return [...this.found.values()].map((counterexample) => ({
      name: counterexample.obligation,
      verdict: { verdict: "refuted", by: "cases", counterexample },
      coverage,
    }));
  }
}

function judged({ concrete }: Translated, start: Start, whim: Whim): BlockJudgement {
  const [entry] = concrete.starts;
  if (entry === undefined) throw new InternalDefect("a block has an entry");
  return concrete.judge(running(start), entry, whim);
}
