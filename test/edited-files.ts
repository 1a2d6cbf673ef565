/** The file system with other text in some of its files: wrong definitions, for tests that must notice them. */
import { type Files, nodeFiles } from "../spec/notation/files.js";

/** `edit` gets the text of each file whose path has `part` in it. */
export function editedFiles(part: string, edit: (text: string) => string): Files {
  return {
    ...nodeFiles,
    async read(path) {
      const file = await nodeFiles.read(path);
      return "problem" in file || !path.includes(part) ? file : { text: edit(file.text) };
    },
  };
}

/** With one slip of the pen: what stands in the file once is written otherwise. */
export function withSlip(part: string, right: string, wrong: string): Files {
  return editedFiles(part, (text) => {
    const [before, after, ...more] = text.split(right);
    if (before === undefined || after === undefined || more.length > 0)
      throw new Error(`${part} does not have this exactly once: ${right}`);
    return before + wrong + after;
  });
}
