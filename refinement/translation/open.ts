/** From a refinement file's `translator` entry to one that answers. */
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Missing } from "../emulator.js";
import { unreachable, UserError } from "../errors.js";
import type { TranslatorRefinement } from "../refinement.js";
import type { Decode } from "../execute/decoded.js";
import type { Engine } from "../execute/engine.js";
import type { EngineFactory, Translator, TranslatorFactory } from "../translation.js";
import { openCommand } from "./command.js";

export type Opened = { readonly translator: Translator } | { readonly missing: readonly Missing[] };

/** Throws a UserError where the module is none, or refuses its options. */
export async function openTranslator(refinement: TranslatorRefinement): Promise<Opened> {
  const source = refinement.translator;
  switch (source.kind) {
    case "command":
      return openCommand(source, refinement.fault);
    case "module": {
      const factory = await factoryIn(source.module);
      return factory(refinement.guest, withFault(source.options, refinement.fault), path.dirname(refinement.file));
    }
    default:
      return unreachable(source);
  }
}

/** A module plants the seeded fault that its options name. */
function withFault(options: unknown, fault: string | undefined): unknown {
  if (fault === undefined) return options;
  return { ...(typeof options === "object" ? options : {}), fault };
}

/** A fresh engine each time it is called; undefined where the translator has no runtime. Throws a UserError as `openTranslator` does. */
export async function enginesOf(
  { translator, fault, guest, host }: TranslatorRefinement,
  decode: Decode,
): Promise<(() => Engine) | undefined> {
  if (translator.kind !== "module") return undefined;
  const factory = (await exportsOf(translator.module))["engine"];
  if (!isEngineFactory(factory)) return undefined;
  return () => factory(guest, host, withFault(translator.options, fault), decode);
}

export async function hasEngine({ translator }: TranslatorRefinement): Promise<boolean> {
  return translator.kind === "module" && isEngineFactory((await exportsOf(translator.module))["engine"]);
}

async function factoryIn(module: string): Promise<TranslatorFactory> {
  const factory = (await exportsOf(module))["default"];
  if (!isFactory(factory)) throw new UserError(`${module}: its default export is no TranslatorFactory`);
  return factory;
}

async function exportsOf(module: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    const loaded: Readonly<Record<string, unknown>> = await import(pathToFileURL(module).href);
    return loaded;
  } catch (error) {
    throw new UserError(`${module}: cannot be loaded: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function isFactory(value: unknown): value is TranslatorFactory {
  return typeof value === "function";
}

function isEngineFactory(value: unknown): value is EngineFactory {
  return typeof value === "function";
}
