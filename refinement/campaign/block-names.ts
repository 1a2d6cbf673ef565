/** Which blocks the globs of `--only` can be about: the others need not be translated, nor looked at. */
import { alternatives } from "./options.js";

/** What stands behind a block's name in those of its obligations: `/exit+2b`, `/+7f`, ` #2/host+0/never`. */
const BEHIND = /^[#/+ 0-9a-fhinoprstvx]*$/;

/** Whether the glob may name an obligation of the block; where it does not, the block need not be looked at. */
export function mayMatch(glob: string, block: string): boolean {
  return alternatives(glob).some((g) => ["commute", "materialize"].some((kind) => mayName(g, `${kind}/${block}`)));
}

function mayName(glob: string, own: string): boolean {
  const [first = "", ...others] = glob.split("*");
  if (others.length === 0) return first === own || hasTail(first, own);
  return (own.startsWith(first) || hasTail(first, own)) && others.every((text) => mayContain(own, text));
}

/** Whether the text begins with the name and goes on as a name of an obligation does. */
function hasTail(text: string, own: string): boolean {
  return text.startsWith(own) && isBehind(text.slice(own.length));
}

function isBehind(text: string): boolean {
  return /^(\/| #)/.test(text) && BEHIND.test(text);
}

function mayContain(own: string, text: string): boolean {
  if (BEHIND.test(text) || own.includes(text)) return true;
  return [...text].some((_, i) => own.endsWith(text.slice(0, i)) && isBehind(text.slice(i)));
}
