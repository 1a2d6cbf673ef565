/**
 * A program's memory as its ELF file says: contents and permissions of its segments, and nothing else accessible.
 */
import { readFile } from "node:fs/promises";
import { type Elf, readElf, type Segment } from "../../refinement/execute/elf.js";
import type { Access } from "../../refinement/terms/term.js";
import { MemoryValue } from "../../refinement/terms/value.js";

export async function readImage(file: string): Promise<Elf> {
  return readElf(await readFile(file), file);
}

export function memoryOf(image: Elf, width: number): MemoryValue {
  const permits = (segment: Segment, access: Access): boolean =>
    access === "fetch" ? segment.executable : access === "store" ? segment.writable : segment.readable;
  const empty = MemoryValue.empty(width, (access, address) =>
    image.segments.some((s) => address >= s.address && address < s.address + s.size && permits(s, access)),
  );
  return image.segments.reduce((memory, s) => memory.storeBytes(s.address, s.data), empty);
}
