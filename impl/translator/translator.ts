/** The translator as a source of translations to validate: each block for a fixed host address. */
import { UserError } from "../../refinement/errors.js";
import type { EngineFactory, TranslationAnswer, Translator, TranslatorFactory } from "../../refinement/translation.js";
import { BlockTranslator } from "./block.js";
import { DESIGN, type Design } from "./design.js";
import { FAULTS, withFault } from "./faults/index.js";
import { Runtime } from "./runtime/runtime.js";

/** Where a translation is told to stand: the code does not depend on it. */
const ORIGIN = 0x7f00_0000_0000n;

/**
 * What comes before and behind matters to what is in hand: a known number or none, a host register written in place or from a scratch
 * register, what must be in the context for a fault, a helper register used, and how a block ends.
 */
const TOGETHER: readonly string[] = [
  "lui",
  "auipc",
  "addi",
  "addiw",
  "add",
  "sub",
  "srl",
  "slti",
  "sh1add.uw",
  "mulh",
  "div",
  "remw",
  "lw",
  "ld",
  "sb",
  "sd",
  "amoadd.d",
  "lr.d",
  "sc.d",
  "beq",
  "bltu",
  "jal",
  "jalr",
  "ecall",
];

const factory: TranslatorFactory = (guest, options) => {
  const set = guest.instructionSet;
  if (set === undefined || guest.variables.every((v) => v.name !== "x"))
    throw new UserError(`${guest.name} is no RISC-V machine, which is all that this translator reads`);
  const blocks = new BlockTranslator(guest, set, designOf(options));
  const translator: Translator = {
    async *translate(requests): AsyncGenerator<TranslationAnswer> {
      for (const { pc, code } of requests) {
        const block = blocks.translate(pc, code, ORIGIN);
        yield block.kind === "translated" ? { kind: "translated", translation: block.translation } : block;
      }
    },
    open: { translate: (request) => blocks.translateOpen(request, ORIGIN), together: TOGETHER },
    identity: "translator",
    close: async () => undefined,
  };
  return Promise.resolve({ translator });
};
export default factory;

/** Programs run on a simulator of the host. */
export const engine: EngineFactory = (guest, host, options, decode) =>
  new Runtime(guest, host, decode, designOf(options));

/** The only option is the name of a seeded fault. */
function designOf(options: unknown): Design {
  if (typeof options !== "object" || options === null) return DESIGN;
  const { fault, ...others } = { fault: undefined, ...options };
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw new UserError(`translator: { module } is all that this translator takes, no \`${unknown}\``);
  if (fault === undefined) return DESIGN;
  const found = FAULTS[String(fault)];
  if (found === undefined) throw new UserError(`this translator has no fault \`${String(fault)}\` to plant`);
  return withFault(found);
}
