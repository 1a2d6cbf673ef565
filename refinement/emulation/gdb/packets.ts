/**
 * Packets of the GDB remote protocol (GDB manual, appendix E, "Overview"): `$` payload `#` and the payload's sum modulo 256 in two
 * hexadecimal digits. In the payload `}` escapes the next character (exclusive-or 0x20), `*` repeats the one before.
 */

/** Characters of a payload, encoded or expanded; a longer packet is refused before it is whole. */
export const LONGEST_PACKET = 1 << 20;
/** Bytes between packets that are none; a few may be left over on a serial line. */
const MOST_NOISE = 4096;

export type Heard =
  | { readonly kind: "ack" }
  | { readonly kind: "nack" }
  | { readonly kind: "packet"; readonly payload: string }
  /** A packet whose sum is wrong: it can be asked for again. */
  | { readonly kind: "damaged" }
  /** No packets, or none that anyone could take. */
  | { readonly kind: "garbage"; readonly reason: string };

export function packet(payload: string): Uint8Array {
  const escaped = payload.replace(/[$#}*]/g, (special) => `}${String.fromCharCode(special.charCodeAt(0) ^ 0x20)}`);
  return Buffer.from(`$${escaped}#${sumOf(escaped)}`, "latin1");
}

function sumOf(text: string): string {
  let sum = 0;
  for (let i = 0; i < text.length; i++) sum = (sum + text.charCodeAt(i)) & 0xff;
  return sum.toString(16).padStart(2, "0");
}

/** From a stream of bytes, in whatever pieces they come, to packets. */
export class PacketReader {
  private pending = "";
  private noise = 0;

  push(chunk: Uint8Array): void {
    this.pending += Buffer.from(chunk).toString("latin1");
  }

  /** Nothing of a packet has been heard. */
  get idle(): boolean {
    return this.pending === "";
  }

  /** Undefined where more bytes are needed. */
  next(): Heard | undefined {
    for (;;) {
      const [first] = this.pending;
      switch (first) {
        case undefined:
          return undefined;
        case "+":
          this.drop(1);
          return { kind: "ack" };
        case "-":
          this.drop(1);
          return { kind: "nack" };
        case "$": {
          const heard = this.whole();
          return heard;
        }
        case "%": {
          // A notification, of which none is asked for.
          const heard = this.whole();
          if (heard?.kind !== "packet") return heard;
          continue;
        }
        default:
          this.drop(1);
          if (++this.noise > MOST_NOISE)
            return { kind: "garbage", reason: `more than ${MOST_NOISE} bytes that are no packet` };
      }
    }
  }

  private drop(count: number): void {
    this.pending = this.pending.slice(count);
  }

  private whole(): Heard | undefined {
    const end = this.pending.indexOf("#");
    if ((end < 0 ? this.pending.length : end) > LONGEST_PACKET)
      return { kind: "garbage", reason: `a packet longer than ${LONGEST_PACKET} bytes` };
    if (end < 0 || this.pending.length < end + 3) return undefined;
    const body = this.pending.slice(1, end);
    const sum = this.pending.slice(end + 1, end + 3);
    this.drop(end + 3);
    if (sumOf(body) !== sum.toLowerCase()) return { kind: "damaged" };
    const payload = expanded(body);
    return payload === undefined
      ? { kind: "garbage", reason: "a packet whose payload is no encoding of anything" }
      : { kind: "packet", payload };
  }
}

/** Undefined where an escape or a repetition is incomplete, or the payload too long. */
function expanded(body: string): string | undefined {
  if (!/[}*]/.test(body)) return body;
  const parts: string[] = [];
  let length = 0;
  for (let i = 0; i < body.length; i++) {
    const c = body.charAt(i);
    if (c !== "*" && c !== "}") {
      parts.push(c);
      length++;
      continue;
    }
    const next = body.charCodeAt(++i);
    if (Number.isNaN(next)) return undefined;
    if (c === "}") {
      parts.push(String.fromCharCode(next ^ 0x20));
      length++;
    } else {
      // The count is the character's code less 29.
      const count = next - 29;
      const before = parts.at(-1)?.at(-1);
      if (before === undefined || count < 1) return undefined;
      parts.push(before.repeat(count));
      length += count;
    }
    if (length > LONGEST_PACKET) return undefined;
  }
  return parts.join("");
}
