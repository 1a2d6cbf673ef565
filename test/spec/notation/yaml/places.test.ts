/** Every character of a string knows its place in the file, however YAML writes the string. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { Diagnostics } from "../../../../spec/notation/diagnostics.js";
import { prepare } from "../../../../spec/notation/yaml/signatures.js";
import { get, readYaml, type YamlScalar } from "../../../../spec/notation/yaml/tree.js";

function scalarIn(text: string): YamlScalar {
  const diagnostics = new Diagnostics();
  const root = readYaml("f.yaml", text, diagnostics);
  const node = root?.kind === "mapping" ? get(root, "key") : undefined;
  if (node?.kind !== "scalar") throw new Error(`no string in ${text}: ${JSON.stringify(diagnostics.list())}`);
  return node;
}

describe("places in strings", () => {
  const styles = ["PLAIN", "QUOTE_SINGLE", "QUOTE_DOUBLE", "BLOCK_LITERAL", "BLOCK_FOLDED"] as const;
  for (const style of styles) {
    test(`${style}: the character at a place is the character`, () => {
      const words = fc.array(
        fc.oneof(
          fc.stringMatching(/^[a-z0-9=+\][(){}<>?!&|"'.,~^*-]{1,8}$/),
          fc.constantFrom("\n", "\n\n", "  ", "# c", "a: b"),
        ),
        { minLength: 1, maxLength: 14 },
      );
      fc.assert(
        fc.property(words, fc.integer({ min: 20, max: 80 }), (list, width) => {
          const text = stringify({ other: 1, key: list.join(" ") }, { defaultStringType: style, lineWidth: width });
          const value = String(parse(text).key);
          const scalar = scalarIn(text);
          expect(scalar.text).toBe(value);
          const lines = text.split("\n");
          for (let i = 0; i < value.length; i++) {
            const c = value[i] ?? "";
            if (/\s/.test(c)) continue;
            const { line, column } = scalar.source.place(i);
            const there = lines[line - 1]?.slice(column - 1) ?? "";
            expect(
              there.startsWith(c) || (there.startsWith("\\") && there.slice(1).startsWith(c)),
              `${c} at ${line}:${column} of ${text}`,
            ).toBe(true);
          }
        }),
        { numRuns: 300, seed: 5 },
      );
    });
  }

  test("escapes stand where their backslash stands", () => {
    const scalar = scalarIn('key: "a\\x62\\u0063\\t\\\\d"\n');
    expect(scalar.text).toBe("abc\t\\d");
    expect([0, 1, 2, 4, 5].map((i) => scalar.source.place(i).column)).toEqual([7, 8, 12, 20, 22]);
  });

  test("carriage returns count", () => {
    const scalar = scalarIn("other: 1\r\nkey: |\r\n  one\r\n  two\r\n");
    expect(scalar.source.place(scalar.text.indexOf("two"))).toEqual({ file: "f.yaml", line: 4, column: 3 });
  });
});

describe("signatures as keys", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["  f(a: b): |", '  "f(a: b)": |'],
    ["  f(a: b): c: d", '  "f(a: b): c": d'],
    ["  f(a: bits(8)): bits(8)[2]: a", '  "f(a: bits(8)): bits(8)[2]": a'],
    ["  f(): x = 1", "  f(): x = 1"],
    ["  f(): bool: true", '  "f(): bool": true'],
    ["  - f(a: b): c", '  - "f(a: b): c"'],
    ["  - f(a: b)", '  - "f(a: b)"'],
    ['  "f(a: b)": c', '  "f(a: b)": c'],
    ["  x = f(a)", "  x = f(a)"],
    ["key: f(a: b)", "key: f(a: b)"],
    ["  # f(a: b): c", "  # f(a: b): c"],
    [
      "traps:\n  one(a: b)\n  two\n  three: 3\nother:\n  four",
      'traps:\n  "one(a: b)":\n  two:\n  three: 3\nother:\n  four',
    ],
    ["e: |\n  f(a: b): c\ng(a: b): c", 'e: |\n  f(a: b): c\n"g(a: b)": c'],
  ];
  for (const [written, read] of cases) {
    test(JSON.stringify(written), () => {
      const prepared = prepare(written);
      expect(prepared.text).toBe(read);
      // Every character that was there leads back to itself.
      let from = 0;
      for (let i = 0; i < written.length; i++) {
        const at =
          Array.from(prepared.text, (_, k) => k)
            .slice(from)
            .find((k) => prepared.original(k) === i && prepared.text[k] === written[i]) ?? -1;
        expect(at, `${i} of ${written}`).toBeGreaterThanOrEqual(from);
        from = at;
      }
    });
  }
});
