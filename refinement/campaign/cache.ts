/**
 * Settled obligations by content. Every entry is a file of its own, named by a digest of everything its answer depends
 * on and written in one rename: two runs can share a cache, and a damaged entry costs nothing but its own answer.
 */
import { createHash } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { makeFolder } from "../make-folder.js";
import type { Settled } from "./report.js";

/** Changes when the form of an entry does. */
const FORMAT = "1";

export class Cache {
  private readonly directory: string;
  private readonly warn: (message: string) => void;
  private writable = true;
  private warned = false;

  /** `warn` is told once about each kind of trouble; trouble never stops a run. */
  constructor(directory: string, warn: (message: string) => void) {
    this.directory = directory;
    this.warn = warn;
  }

  async get(key: string): Promise<readonly Settled[] | undefined> {
    const file = this.fileOf(key);
    const text = await readFile(file, "utf8").catch((error: unknown) => {
      if (codeOf(error) !== "ENOENT" && codeOf(error) !== "ENOTDIR")
        this.damaged(file, `cannot be read (${codeOf(error)})`);
      return undefined;
    });
    if (text === undefined) return undefined;
    const settled = decode(text);
    if (settled === undefined) this.damaged(file, "is damaged");
    return settled;
  }

  async put(key: string, settled: readonly Settled[]): Promise<void> {
    await this.write(this.fileOf(key), encode(settled));
  }

  private async write(file: string, text: string): Promise<void> {
    if (!this.writable) return;
    const temporary = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`;
    try {
      await makeFolder(path.dirname(file));
      await writeFile(temporary, text);
      await rename(temporary, file);
    } catch (error) {
      this.writable = false;
      this.warn(
        `the cache ${this.directory} cannot be written (${codeOf(error)}): nothing will be remembered of this run`,
      );
      await rm(temporary, { force: true }).catch(() => undefined);
    }
  }

  private damaged(file: string, how: string): void {
    if (this.warned) return;
    this.warned = true;
    this.warn(`the cache entry ${file} ${how}: such entries are settled again and rewritten`);
  }

  private fileOf(key: string): string {
    return path.join(this.directory, "settled", key.slice(0, 2), `${key.slice(2)}.json`);
  }
}

/** A key: equal parts, in order, give equal keys. */
export function digest(parts: readonly string[]): string {
  return createHash("sha256")
    .update(JSON.stringify([FORMAT, ...parts]))
    .digest("hex");
}

/** Big integers become `{"bigint": "…"}`; a checksum notices damage. */
function encode(settled: readonly Settled[]): string {
  const body = JSON.stringify(settled, (_, value: unknown) =>
    typeof value === "bigint" ? { bigint: value.toString() } : value,
  );
  return JSON.stringify({ checksum: digest([body]), body });
}

function decode(text: string): readonly Settled[] | undefined {
  try {
    const outer: unknown = JSON.parse(text);
    if (typeof outer !== "object" || outer === null || !("checksum" in outer) || !("body" in outer)) return undefined;
    if (typeof outer.body !== "string" || outer.checksum !== digest([outer.body])) return undefined;
    return JSON.parse(outer.body, revive);
  } catch {
    return undefined;
  }
}

function revive(_: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("bigint" in value)) return value;
  return typeof value.bigint === "string" && Object.keys(value).length === 1 ? BigInt(value.bigint) : value;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : String(error);
}
