/** Values of options, checked when the command line is read. */
import { InvalidArgumentError, Option } from "commander";
import { UserError } from "../refinement/errors.js";
import type { Machine } from "../refinement/machine.js";

/** `10s`, `500ms`, `2m`, `1h`: milliseconds. */
export function durationOption(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|min|h)$/.exec(text.trim());
  const ms = Number(match?.[1]) * (UNITS[match?.[2] ?? ""] ?? Number.NaN);
  if (!Number.isFinite(ms) || ms <= 0) throw new InvalidArgumentError("Write a time such as 10s, 500ms or 2m.");
  return ms;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 };

/** An integer of at least `least`; hexadecimal is welcome. */
export function integerOption(least: number): (text: string) => number {
  return (text) => {
    const value = /^(-?\d+|0[xX][0-9a-fA-F]+)$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`An integer of at least ${least} is needed.`);
    }
    return value;
  };
}

/** `a,b,c` of a closed list. */
export function listOption<T extends string>(members: readonly T[]): (text: string) => T[] {
  return (text) =>
    text.split(",").map((part) => {
      const member = members.find((m) => m === part.trim());
      if (member === undefined) {
        throw new InvalidArgumentError(`\`${part.trim()}\` is not one of: ${members.join(", ")}.`);
      }
      return member;
    });
}

/** An address: decimal, 0x… or 0b…. */
function addressOption(text: string): bigint {
  if (!/^(\d+|0[xX][0-9a-fA-F]+|0[bB][01]+)$/.test(text.trim())) {
    throw new InvalidArgumentError("Write an address such as 0x10000.");
  }
  return BigInt(text.trim());
}

/** Where assembly stands. (Help shows defaults as JSON, which has no big integers.) */
export function pcOption(): Option {
  return new Option("--pc <ADDRESS>", "address of the first instruction").argParser(addressOption).default(0n, "0");
}

export function checkPc(machine: Machine, pc: bigint): void {
  const name = machine.instructionSet?.programCounter ?? machine.decoded?.programCounter;
  const sort = machine.variables.find((v) => v.name === name)?.sort;
  if (sort?.kind === "bits" && pc >> BigInt(sort.width) !== 0n)
    throw new UserError(
      `--pc 0x${pc.toString(16)} is no address of ${machine.name}, whose \`${name}\` has ${sort.width} bits`,
    );
}
