/** What the refinement of a translator says of the host's memory and calling convention, for a reader. */
import type { Refinement, Region, View } from "../refinement/refinement.js";

export interface HostClaim {
  /** Each with where it lies. */
  readonly regions: readonly { readonly name: string; readonly lies: string }[];
  readonly preserve: readonly string[];
  readonly helpers: readonly string[];
  /** Each with what is seen of the guest there: all where nothing is said. */
  readonly views: readonly { readonly name: string; readonly seen: readonly string[] | null }[];
}

export function hostClaim(refinement: Refinement): HostClaim {
  if (refinement.form !== "translator") return { regions: [], preserve: [], helpers: [], views: [] };
  const { regions, limit, preserve, helpers, views } = refinement;
  return {
    regions: [
      ...regions.map((region) => ({ name: region.name, lies: liesAt(region) })),
      { name: "limit", lies: `all below ${hex(limit)}` },
    ],
    preserve,
    helpers: [...helpers.keys()],
    views: [...views].map(([name, { seen }]: readonly [string, View]) => ({
      name,
      seen: seen === undefined ? null : [...seen],
    })),
  };
}

function liesAt(region: Region): string {
  if (region.kind === "guest") {
    const held = region.register === undefined ? "" : `, which ${region.register} holds`;
    return region.at === 0n ? "the guest's address a" : `the guest's address a, plus ${hex(region.at)}${held}`;
  }
  const { base, below, size } = region;
  const from = below === 0n ? base : `${base} - ${hex(below)}`;
  return `from ${from} ${size === 0n ? `to ${base}` : `to ${base} + ${hex(size)}`}, as ${base} is at the entry`;
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
