/** From a refinement file's `emulator` entry to one that can be asked. */
import { existsSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Emulator, EmulatorFactory, Missing } from "../emulator.js";
import { unreachable, UserError } from "../errors.js";
import type { EmulatorRefinement } from "../refinement.js";
import { openStepCommand } from "./command.js";
import { openGdb } from "./gdb/emulator.js";

export type Opened = { readonly emulator: Emulator } | { readonly missing: readonly Missing[] };

export async function openEmulator(refinement: EmulatorRefinement): Promise<Opened> {
  const { guest, emulator } = refinement;
  switch (emulator.kind) {
    case "module": {
      const factory = await factoryIn(emulator.module);
      return factory(guest, emulator.options, path.dirname(refinement.file));
    }
    case "command":
      return openStepCommand(guest, emulator.program, emulator.room);
    case "gdb":
      return openGdb(guest, emulator, emulator.room);
    default:
      return unreachable(emulator);
  }
}

/** Whether what answers can be told by its files: what runs somewhere already cannot. */
export function isIdentified({ emulator }: EmulatorRefinement): boolean {
  return emulator.kind !== "gdb" || emulator.command !== undefined;
}

async function factoryIn(module: string): Promise<EmulatorFactory> {
  const loaded: unknown = await import(pathToFileURL(compiledPath(module)).href);
  const factory = typeof loaded === "object" && loaded !== null && "default" in loaded ? loaded.default : undefined;
  if (!isFactory(factory)) throw new UserError(`${module}: its default export is no EmulatorFactory`);
  return factory;
}

function isFactory(value: unknown): value is EmulatorFactory {
  return typeof value === "function";
}

/** A TypeScript module runs as it is under vitest; otherwise what it was compiled to. */
function compiledPath(module: string): string {
  if (!module.endsWith(".ts") || import.meta.url.endsWith(".ts")) return module;
  const javascript = module.replace(/\.ts$/, ".js");
  if (existsSync(javascript)) return javascript;
  for (let root = path.dirname(module); ; root = path.dirname(root)) {
    const compiled = path.join(root, "dist", path.relative(root, javascript));
    if (existsSync(compiled)) return compiled;
    if (path.dirname(root) === root) throw new UserError(`${module} has not been compiled (npm run build)`);
  }
}
