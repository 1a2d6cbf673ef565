import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Cache, digest } from "../../../refinement/campaign/cache.js";
import type { Settled } from "../../../refinement/campaign/report.js";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "commute-cache-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function proved(obligation: string): Settled {
  return { obligation, method: "prove", verdict: { verdict: "proved", by: "rewrite" }, more: [], ms: 3 };
}

const refuted: Settled = {
  obligation: "commute/go",
  method: "prove",
  verdict: {
    verdict: "refuted",
    by: "random",
    counterexample: {
      title: "wrong",
      refinement: "r",
      obligation: "commute/go",
      fault: undefined,
      found: { by: "prove", solver: undefined, seed: 42, date: "2026-01-01" },
      machines: { guest: "g", host: "h" },
      guest: { code: "00", assembly: ["nop"], pc: 1n << 63n },
      host: undefined,
      state: { x: 7n, "mem[0x0]": "b302" },
      inaccessible: [{ memory: "mem", access: "load", address: 4n, bytes: 1n }],
      schedule: [{ transition: "go", arguments: { by: 3n } }],
      differs: [{ variable: "x", guest: "0x1", host: "0x2" }],
      expect: "refuted",
      cause: { obligation: "commute/go", variable: "x" },
    },
  },
  more: [],
  ms: 1,
};

function quiet(message: string): void {
  throw new Error(`unexpected warning: ${message}`);
}

async function entries(): Promise<string[]> {
  const all = await readdir(directory, { recursive: true, withFileTypes: true });
  return all.filter((e) => e.isFile()).map((e) => path.join(e.parentPath, e.name));
}

describe("the cache", () => {
  it("gives back what was put in, counterexamples and all", async () => {
    const key = digest(["a"]);
    await new Cache(directory, quiet).put(key, [refuted]);
    expect(await new Cache(directory, quiet).get(key)).toEqual(JSON.parse(JSON.stringify([refuted], bigints), revive));
    const again = await new Cache(directory, quiet).get(key);
    expect(again?.[0]?.verdict).toMatchObject({ counterexample: { state: { x: 7n }, guest: { pc: 1n << 63n } } });
    expect(await new Cache(directory, quiet).get(digest(["b"]))).toBeUndefined();
  });

  it("recovers from damage with one warning, and is mended by the next answer", async () => {
    const keys = ["a", "b", "c"].map((k) => digest([k]));
    for (const key of keys) await new Cache(directory, quiet).put(key, [proved("x")]);
    for (const file of await entries()) {
      const text = await readFile(file, "utf8");
      await writeFile(file, text.slice(0, text.length / 2));
    }
    const warnings: string[] = [];
    const cache = new Cache(directory, (w) => warnings.push(w));
    for (const key of keys) expect(await cache.get(key)).toBeUndefined();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("damaged");
    for (const key of keys) await cache.put(key, [proved("x")]);
    for (const key of keys) expect(await new Cache(directory, quiet).get(key)).toEqual([proved("x")]);
  });

  it("notices an entry whose content was changed", async () => {
    await new Cache(directory, quiet).put(digest(["a"]), [proved("x")]);
    for (const file of await entries()) {
      await writeFile(file, (await readFile(file, "utf8")).replace("rewrite", "rewrote"));
    }
    const warnings: string[] = [];
    expect(await new Cache(directory, (w) => warnings.push(w)).get(digest(["a"]))).toBeUndefined();
    expect(warnings).toHaveLength(1);
  });

  it("loses nothing when two runs use it at once", async () => {
    const one = new Cache(directory, quiet);
    const two = new Cache(directory, quiet);
    const keys = Array.from({ length: 50 }, (_, i) => digest([String(i)]));
    await Promise.all(keys.flatMap((key, i) => [one.put(key, [proved(`o${i}`)]), two.put(key, [proved(`o${i}`)])]));
    const reader = new Cache(directory, quiet);
    for (const [i, key] of keys.entries()) expect(await reader.get(key)).toEqual([proved(`o${i}`)]);
    expect((await entries()).filter((file) => !file.endsWith(".json"))).toEqual([]);
  });

  it("warns once where it cannot be written, and goes on", async () => {
    const file = path.join(directory, "file");
    await writeFile(file, "not a folder");
    const warnings: string[] = [];
    const cache = new Cache(file, (w) => warnings.push(w));
    await cache.put(digest(["a"]), [proved("x")]);
    await cache.put(digest(["b"]), [proved("x")]);
    expect(await cache.get(digest(["a"]))).toBeUndefined();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("cannot be written");
  });
});

function bigints(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `n${value}` : value;
}

function revive(_: string, value: unknown): unknown {
  return typeof value === "string" && /^n\d+$/.test(value) ? BigInt(value.slice(1)) : value;
}
