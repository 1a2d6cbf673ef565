import type { Random } from "fast-check";
import type { Access } from "../../refinement/terms/term.js";
import type { MemorySort } from "../../refinement/terms/sort.js";
import { oneIn, pick } from "../random.js";
import type { Inaccessible } from "../start.js";
import { Drawn } from "./drawn.js";

/** A memory, and addresses near which something happens. */
export interface Surroundings {
  readonly memory: string;
  readonly sort: MemorySort;
  readonly code: readonly bigint[];
  readonly data: readonly bigint[];
}

const PAGE = 4096n;

/**
 * Faults of the environment: none, often enough; else a page, or a block of a few bytes, denied to loads, stores or fetches near addresses
 * that the program is likely to touch, so that accesses reach into them from below.
 */
export function permissions(around: Surroundings): Drawn<readonly Inaccessible[]> {
  return new PermissionsArbitrary(around);
}

class PermissionsArbitrary extends Drawn<readonly Inaccessible[]> {
  private readonly around: Surroundings;

  constructor(around: Surroundings) {
    super();
    this.around = around;
  }

  override draw(random: Random): readonly Inaccessible[] {
    const count = pick(random, [0, 0, 1, 1, 2]);
    return Array.from({ length: count }, () => this.one(random));
  }

  private one(random: Random): Inaccessible {
    const access: Access = pick(random, ["load", "store", "load", "store", "fetch"]);
    const { memory, sort, code, data } = this.around;
    const near = pick(random, access === "fetch" ? code : [...data, ...data, ...code]) ?? 0n;
    const offset = BigInt(random.nextInt(-2, 10)) * (access === "fetch" ? 4n : 1n);
    const inside = BigInt.asUintN(sort.address, near + offset);
    const whole = sort.address > 12 && access !== "fetch" && oneIn(random, 2);
    // Aligned blocks: compiled code asks once for each. Accesses that are not aligned still reach into them from anywhere.
    const bytes = whole ? PAGE : sort.address < 5 ? 1n : pick(random, [8n, 8n, 16n]);
    return { memory, access, address: inside & ~(bytes - 1n), bytes };
  }

  override *smaller(value: readonly Inaccessible[]): Iterable<readonly Inaccessible[]> {
    for (let i = 0; i < value.length; i++) yield value.toSpliced(i, 1);
    for (const [i, one] of value.entries()) {
      for (const bytes of [8n, one.bytes / 2n]) {
        if (bytes === 0n || bytes >= one.bytes) continue;
        yield value.with(i, { ...one, bytes });
        yield value.with(i, { ...one, address: one.address + one.bytes - bytes, bytes });
      }
    }
  }

  override size(value: readonly Inaccessible[]): bigint {
    return value.reduce((size, one) => size + one.bytes, 0n);
  }
}
