/**
 * The registers that a stub describes (GDB manual, appendix G, "Target Descriptions"): a document of XML, which may include others.
 * Of it, only the `reg` elements are looked at: names, widths, and numbers, which count on where none is given.
 */
import type { Connection } from "./connection.js";

export interface StubRegister {
  readonly number: number;
  /** Bits. */
  readonly width: number;
}

const MOST_DOCUMENTS = 64;
const MOST_REGISTERS = 1 << 14;
const WIDEST = 1 << 12;
/** Bytes of a document. */
const LONGEST = 1 << 20;
/** Bytes that are asked for at a time, below any stub's packet size. */
const PIECE = 0x3f0;

/** Undefined where the stub describes none. */
export async function describedRegisters(
  connection: Connection,
  supported: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, StubRegister> | undefined> {
  if (!supported.split(";").includes("qXfer:features:read+")) return undefined;
  const registers = new Map<string, StubRegister>();
  let documents = 0;
  let next = 0;
  const read = async (annex: string): Promise<void> => {
    if (++documents > MOST_DOCUMENTS) throw connection.failed("its description of registers includes without end");
    for (const element of elements(await document(connection, annex, signal))) {
      if (element.name === "xi:include") {
        await read(element.attributes.get("href") ?? "");
      } else if (element.name === "reg") {
        const { attributes } = element;
        const number = Number(attributes.get("regnum") ?? next);
        const width = Number(attributes.get("bitsize"));
        const name = attributes.get("name") ?? "";
        const sound =
          Number.isInteger(number) && number >= 0 && Number.isInteger(width) && width > 0 && width <= WIDEST;
        if (!sound || registers.size >= MOST_REGISTERS)
          throw connection.failed(`its description of registers is none: ${name} in ${annex}`);
        registers.set(name, { number, width });
        next = number + 1;
      }
    }
  };
  await read("target.xml");
  return registers.size === 0 ? undefined : registers;
}

async function document(connection: Connection, annex: string, signal: AbortSignal): Promise<string> {
  let text = "";
  for (;;) {
    const offset = text.length.toString(16);
    const answer = await connection.ask(`qXfer:features:read:${annex}:${offset},${PIECE.toString(16)}`, signal);
    const [kind] = answer;
    if ((kind !== "l" && kind !== "m") || (kind === "m" && answer.length === 1))
      throw connection.failed(`it does not give its ${annex}`);
    text += answer.slice(1);
    if (kind === "l") return text;
    if (text.length > LONGEST) throw connection.failed(`its ${annex} is longer than ${LONGEST} bytes`);
  }
}

interface Element {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
}

/** The elements of a document, in the order in which they begin. */
export function* elements(text: string): Generator<Element> {
  const plain = text.replace(/<!--[\s\S]*?-->/g, "");
  for (const [, name = "", inside = ""] of plain.matchAll(/<([a-zA-Z_][\w:.-]*)((?:[^<>"']|"[^"<]*"|'[^'<]*')*)>/g)) {
    const attributes = new Map<string, string>();
    for (const [, key = "", double, single] of inside.matchAll(/([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g))
      attributes.set(key, double ?? single ?? "");
    yield { name, attributes };
  }
}
