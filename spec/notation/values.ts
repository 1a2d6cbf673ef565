/** Values as people write and read them. */
import type { ScalarType } from "../../refinement/machine.js";
import { UserError } from "../../refinement/errors.js";
import { nearest } from "./diagnostics.js";
import { scalarWidth, typeToString } from "./elaborate/types.js";

/** `0x1f`, `5`, `true`, an enum's member. Numbers below ten are written plainly; a value that no member has as a number. */
export function formatValue(type: ScalarType, value: bigint): string {
  switch (type.kind) {
    case "bool":
      return value === 0n ? "false" : "true";
    case "enum":
      return type.members[Number(value)] ?? `0x${value.toString(16)}`;
    case "bits":
      return value < 10n ? value.toString() : `0x${value.toString(16)}`;
    default: {
      const never: never = type;
      return never;
    }
  }
}

const NUMBER = /^(-?)(?:(\d+)'([hbdo])([0-9A-Fa-f_]+)|0x([0-9A-Fa-f_]+)|0b([01_]+)|(\d[\d_]*))$/;

/** The value that a text, a number or a boolean stands for; a UserError if it is none of the type. */
export function parseScalar(type: ScalarType, given: string | number | bigint | boolean): bigint {
  const text = typeof given === "string" ? given.trim() : String(given);
  switch (type.kind) {
    case "bool":
      if (text === "true" || text === "1") return 1n;
      if (text === "false" || text === "0") return 0n;
      throw new UserError(`\`${text}\` is no bool: write true or false`);
    case "enum": {
      const member = text.slice(text.lastIndexOf(".") + 1);
      const index = type.members.indexOf(member);
      if (index >= 0) return BigInt(index);
      const value = numberOf(text);
      if (value !== undefined && value >= 0n && value < BigInt(type.members.length)) return value;
      const best = nearest(member, type.members);
      throw new UserError(
        `\`${text}\` is no member of ${typeToString(type)}${best === undefined ? "" : `; did you mean \`${best}\`?`}`,
      );
    }
    case "bits": {
      const value = numberOf(text);
      const limit = 1n << BigInt(scalarWidth(type));
      if (value === undefined) throw new UserError(`\`${text}\` is no number: write 12, 0x1F or 0b101`);
      if (value >= limit || value < -(limit >> 1n))
        throw new UserError(`\`${text}\` does not fit ${typeToString(type)}`);
      return BigInt.asUintN(type.width, value);
    }
    default: {
      const never: never = type;
      return never;
    }
  }
}

const prefixes: Readonly<Record<string, string>> = { h: "0x", b: "0b", o: "0o", d: "" };

function numberOf(text: string): bigint | undefined {
  const match = NUMBER.exec(text);
  if (match === null) return undefined;
  const [, sign, , base, sized, hex, binary, decimal] = match;
  const digits = (sized ?? hex ?? binary ?? decimal ?? "").replaceAll("_", "");
  const prefix =
    base !== undefined ? (prefixes[base] ?? "") : hex !== undefined ? "0x" : binary !== undefined ? "0b" : "";
  if (digits === "" || !validDigits(prefix, digits)) return undefined;
  const value = BigInt(prefix + digits);
  return sign === "-" ? -value : value;
}

function validDigits(prefix: string, digits: string): boolean {
  switch (prefix) {
    case "0b":
      return /^[01]+$/.test(digits);
    case "0o":
      return /^[0-7]+$/.test(digits);
    case "0x":
      return true;
    default:
      return /^\d+$/.test(digits);
  }
}
