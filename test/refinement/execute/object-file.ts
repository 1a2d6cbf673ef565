/** eBPF object files made by hand, for tests: sections, symbols and relocations, as little as a loader needs. */

export interface ObjectSection {
  readonly name: string;
  readonly data: Uint8Array;
  /** SHF_WRITE 1, SHF_ALLOC 2, SHF_EXECINSTR 4. */
  readonly flags: number;
  readonly relocations?: readonly { readonly offset: number; readonly type: number; readonly symbol: string }[];
}

export interface ObjectSymbol {
  readonly name: string;
  /** Of its section; none if left out: the file does not define it. */
  readonly section?: string;
  readonly value?: number;
  readonly isGlobal?: boolean;
  readonly isFunction?: boolean;
}

const NULL_SECTION = { name: "", type: 0, flags: 0, data: new Uint8Array(), link: 0, info: 0, entrySize: 0 };

/** The file's bytes; `machine`, `cls`, `type` and `order` go into the header; of what follows another order, only the machine does. */
export function objectFile(
  sections: readonly ObjectSection[],
  symbols: readonly ObjectSymbol[],
  { machine = 247, cls = 2, type = 1, order = 1 } = {},
): Uint8Array {
  const names = strings(["", ...symbols.map((s) => s.name)]);
  const symbolTable = new Uint8Array(24 * (symbols.length + 1));
  const view = new DataView(symbolTable.buffer);
  const indexOf = (name: string | undefined): number => sections.findIndex((s) => s.name === name) + 1;
  symbols.forEach((s, i) => {
    const at = 24 * (i + 1);
    view.setUint32(at, names.at(i + 1), true);
    view.setUint8(at + 4, (s.isGlobal === true ? 16 : 0) | (s.isFunction === true ? 2 : 0));
    view.setUint16(at + 6, s.section === undefined ? 0 : indexOf(s.section), true);
    view.setBigUint64(at + 8, BigInt(s.value ?? 0), true);
  });
  const table = sections.length + 1;
  const headers = [
    NULL_SECTION,
    ...sections.map((s) => ({ ...NULL_SECTION, name: s.name, type: 1, flags: s.flags, data: s.data })),
    { ...NULL_SECTION, name: ".symtab", type: 2, data: symbolTable, link: table + 1, entrySize: 24 },
    { ...NULL_SECTION, name: ".strtab", type: 3, data: names.bytes },
    ...sections.flatMap((s) => {
      if (s.relocations === undefined) return [];
      const data = new Uint8Array(16 * s.relocations.length);
      const rel = new DataView(data.buffer);
      s.relocations.forEach((r, i) => {
        rel.setBigUint64(16 * i, BigInt(r.offset), true);
        rel.setUint32(16 * i + 8, r.type, true);
        rel.setUint32(16 * i + 12, symbols.findIndex((x) => x.name === r.symbol) + 1, true);
      });
      return [
        { ...NULL_SECTION, name: `.rel${s.name}`, type: 9, data, link: table, info: indexOf(s.name), entrySize: 16 },
      ];
    }),
  ];
  const sectionNames = strings([...headers.map((h) => h.name), ".shstrtab"]);
  const all = [...headers, { ...NULL_SECTION, name: ".shstrtab", type: 3, data: sectionNames.bytes }];
  const offsets: number[] = [];
  let end = 64;
  for (const { data } of all) {
    offsets.push(end);
    end += (data.length + 7) & ~7;
  }
  const file = new Uint8Array(end + 64 * all.length);
  const out = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, cls, order, 1]);
  out.setUint16(16, type, true);
  out.setUint16(18, machine, order === 1);
  out.setBigUint64(40, BigInt(end), true);
  out.setUint16(58, 64, true);
  out.setUint16(60, all.length, true);
  out.setUint16(62, all.length - 1, true);
  all.forEach((h, i) => {
    file.set(h.data, offsets[i] ?? 0);
    const at = end + 64 * i;
    out.setUint32(at, sectionNames.at(i), true);
    out.setUint32(at + 4, h.type, true);
    out.setBigUint64(at + 8, BigInt(h.flags), true);
    out.setBigUint64(at + 24, BigInt(offsets[i] ?? 0), true);
    out.setBigUint64(at + 32, BigInt(h.data.length), true);
    out.setUint32(at + 40, h.link, true);
    out.setUint32(at + 44, h.info, true);
    out.setBigUint64(at + 56, BigInt(h.entrySize), true);
  });
  return file;
}

function strings(list: readonly string[]): { readonly bytes: Uint8Array; at(index: number): number } {
  const offsets: number[] = [];
  let text = "";
  for (const item of list) {
    offsets.push(text.length);
    text += `${item}\0`;
  }
  return { bytes: new TextEncoder().encode(text), at: (index) => offsets[index] ?? 0 };
}
