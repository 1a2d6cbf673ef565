/** The translator as a source of translations to validate: each block for a fixed host address. */
import { UserError } from "../../refinement/errors.js";
import type { TranslationAnswer, Translator, TranslatorFactory } from "../../refinement/translation.js";
import { BlockTranslator } from "./block.js";

/** Where a translation is told to stand: the code does not depend on it. */
const ORIGIN = 0x7f00_0000_0000n;

const factory: TranslatorFactory = (guest, options) => {
  const set = guest.instructionSet;
  if (set === undefined || guest.variables.every((v) => v.name !== "x"))
    throw new UserError(`${guest.name} is no RISC-V machine, which is all that this translator reads`);
  if (typeof options === "object" && options !== null && Object.keys(options).some((key) => key !== "module"))
    throw new UserError("translator: { module } is all that this translator takes");
  const blocks = new BlockTranslator(guest, set);
  const translator: Translator = {
    async *translate(requests): AsyncGenerator<TranslationAnswer> {
      for (const { pc, code } of requests) {
        const block = blocks.translate(pc, code, ORIGIN);
        yield block.kind === "translated" ? { kind: "translated", translation: block.translation } : block;
      }
    },
    identity: "translator",
    close: async () => undefined,
  };
  return Promise.resolve({ translator });
};
export default factory;
