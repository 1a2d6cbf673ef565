/** From a refinement file's `translator` entry to one that answers. */
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Missing } from "../emulator.js";
import { unreachable, UserError } from "../errors.js";
import type { TranslatorRefinement } from "../refinement.js";
import type { Translator, TranslatorFactory } from "../translation.js";
import { openCommand } from "./command.js";

export type Opened = { readonly translator: Translator } | { readonly missing: readonly Missing[] };

/** Throws a UserError where the module is none, or refuses its options. */
export async function openTranslator(refinement: TranslatorRefinement): Promise<Opened> {
  const source = refinement.translator;
  switch (source.kind) {
    case "command":
      return openCommand(source);
    case "module": {
      const factory = await factoryIn(source.module);
      return factory(refinement.guest, source.options, path.dirname(refinement.file));
    }
    default:
      return unreachable(source);
  }
}

async function factoryIn(module: string): Promise<TranslatorFactory> {
  let loaded: unknown;
  try {
    loaded = await import(pathToFileURL(module).href);
  } catch (error) {
    throw new UserError(`${module}: cannot be loaded: ${error instanceof Error ? error.message : String(error)}`);
  }
  const factory = typeof loaded === "object" && loaded !== null && "default" in loaded ? loaded.default : undefined;
  if (!isFactory(factory)) throw new UserError(`${module}: its default export is no TranslatorFactory`);
  return factory;
}

function isFactory(value: unknown): value is TranslatorFactory {
  return typeof value === "function";
}
