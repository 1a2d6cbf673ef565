import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { EnvironmentFailure } from "../../refinement/errors.js";
import { compiledModule } from "../../refinement/module-url.js";

const root = path.resolve(fileURLToPath(import.meta.url), "../../..");

describe("the compiled form of a module", () => {
  test("lies below dist/ when the sources run", () => {
    const base = pathToFileURL(path.join(root, "refinement/solver/z3-wasm.ts")).href;
    expect(fileURLToPath(compiledModule("./z3-worker.js", base))).toBe(
      path.join(root, "dist/refinement/solver/z3-worker.js"),
    );
    expect(fileURLToPath(compiledModule("../module-url.js", base))).toBe(
      path.join(root, "dist/refinement/module-url.js"),
    );
  });

  test("lies beside the module when JavaScript runs", () => {
    expect(compiledModule("./worker.js", "file:///somewhere/dist/x.js").href).toBe("file:///somewhere/dist/worker.js");
  });

  test("that is not there is a clear failure", () => {
    const base = pathToFileURL(path.join(root, "refinement/solver/z3-wasm.ts")).href;
    expect(() => compiledModule("./absent.js", base)).toThrow(EnvironmentFailure);
    expect(() => compiledModule("./absent.js", base)).toThrow(/npm run build/);
  });
});
