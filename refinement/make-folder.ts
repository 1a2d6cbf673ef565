/** Making folders where the user said, which can be anywhere. */
import { mkdir, stat } from "node:fs/promises";
import path from "node:path";

/**
 * Makes a folder and those above it that are missing, as `mkdir -p` does. Not by Node's `recursive`, which tries for ever
 * where a folder exists but nothing can be made in it, as in /proc.
 */
export async function makeFolder(folder: string): Promise<void> {
  const absolute = path.resolve(folder);
  if (await isFolder(absolute)) return;
  const above = path.dirname(absolute);
  if (above !== absolute) await makeFolder(above);
  try {
    await mkdir(absolute);
  } catch (error) {
    // Another run may have been faster.
    if (!(await isFolder(absolute))) throw error;
  }
}

async function isFolder(at: string): Promise<boolean> {
  return stat(at).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
