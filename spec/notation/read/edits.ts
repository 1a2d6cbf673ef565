/** Edits of a machine's file before it is read: a seeded fault, and where it goes. */
import { type SourceText, splice } from "../yaml/source-text.js";
import type { Yaml, YamlEntry, YamlScalar } from "../yaml/tree.js";

/** Replaces the whole body of a function, or a piece of the string at a path of keys. */
export type Edit =
  | { readonly kind: "function"; readonly name: string; readonly text: SourceText }
  | { readonly kind: "text"; readonly path: readonly string[]; readonly replace: string; readonly text: SourceText };

/** Starts an edit's record. */
export function outcomeOf(edit: Edit): EditOutcome {
  return { edit, applied: false, found: undefined };
}

/** How an edit fared: nothing to edit yet, done, or not found exactly once. */
export interface EditOutcome {
  readonly edit: Edit;
  applied: boolean;
  /** Times the text to replace was found, once its string was. */
  found: number | undefined;
}

/** `shift(a: bits(4))` and `shift` are both named `shift`. */
function named(entry: YamlEntry, name: string): boolean {
  return entry.key.text === name || entry.key.text.split(/[(:]/)[0]?.trim() === name;
}

/** The file with the edits done that have their place in it. */
export function applyEdits(root: Yaml, outcomes: readonly EditOutcome[]): Yaml {
  let edited = root;
  for (const outcome of outcomes) {
    if (outcome.applied || outcome.found !== undefined) continue;
    for (const path of pathsOf(outcome.edit)) {
      if (outcome.applied) break;
      edited = at(edited, path, (scalar) => editScalar(scalar, outcome));
    }
  }
  return edited;
}

/** Files are read before those that they extend, so a function is edited where it is given last. */
function pathsOf(edit: Edit): readonly (readonly string[])[] {
  if (edit.kind === "text") return [edit.path];
  return ["overrides", "functions", "memoized"].map((section) => [section, edit.name]);
}

function at(node: Yaml, path: readonly string[], change: (scalar: YamlScalar) => YamlScalar): Yaml {
  const [head, ...rest] = path;
  if (head === undefined) return node.kind === "scalar" ? change(node) : node;
  if (node.kind !== "mapping") return node;
  let done = false;
  const entries = node.entries.map((entry) => {
    if (done || !named(entry, head)) return entry;
    done = true;
    return { key: entry.key, value: at(entry.value, rest, change) };
  });
  return { ...node, entries };
}

function editScalar(scalar: YamlScalar, outcome: EditOutcome): YamlScalar {
  const { edit } = outcome;
  if (edit.kind === "function") {
    outcome.applied = true;
    return replaced(scalar, edit.text);
  }
  const words = edit.replace
    .trim()
    .split(/\s+/)
    .filter((w) => w !== "");
  if (words.length === 0) {
    outcome.found = 0;
    return scalar;
  }
  // Blanks match any blanks: a piece of a block is indented as it stands there.
  const pattern = new RegExp(words.map((w) => w.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("\\s+"), "g");
  const matches = [...scalar.source.text.matchAll(pattern)];
  outcome.found = matches.length;
  const [match] = matches;
  if (matches.length !== 1 || match === undefined) return scalar;
  outcome.applied = true;
  return replaced(scalar, splice(scalar.source, match.index, match.index + match[0].length, edit.text));
}

function replaced(scalar: YamlScalar, source: SourceText): YamlScalar {
  return { ...scalar, text: source.text, value: source.text, source };
}
