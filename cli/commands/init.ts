import { cp, mkdir, readdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { UserError } from "../../refinement/errors.js";
import { packageRoot } from "../package.js";
import { show } from "../project.js";
import { commonOptions, session } from "../session.js";
import type { CommonOptions, Output } from "../terminal/output.js";

export function addInit(program: Command): Command {
  return commonOptions(program.command("init"))
    .description("make a new project: a small guest machine, a host that implements it, and a bug to find")
    .argument("<DIR>", "a folder that does not exist yet, or is empty")
    .addHelpText(
      "after",
      `
Example:
  commute init my-vm && cd my-vm && commute check`,
    )
    .action((directory: string, options: CommonOptions) => session(options, ({ out }) => init(directory, out)));
}

async function init(argument: string, out: Output): Promise<number> {
  const directory = resolve(argument);
  await mkdir(directory, { recursive: true });
  if ((await readdir(directory)).length > 0)
    throw new UserError(`${argument} is not empty: a new project needs a folder of its own`);
  await cp(join(packageRoot(), "templates", "project"), directory, { recursive: true });
  // npm leaves files of this name out of packages, so that it cannot be among the templates.
  await writeFile(join(directory, ".gitignore"), ".commute/\n");
  const files = (await readdir(directory, { recursive: true, withFileTypes: true }))
    .filter((child) => child.isFile())
    .map((child) => join(child.parentPath, child.name))
    .sort();
  out.json({ version: 1, directory, files });
  for (const file of files) out.detail(`  ${show(file)}`);
  out.line(
    `A new project is in ${show(directory)}: go on with its README.md, or at once with \`commute check\` in there.`,
  );
  return 0;
}
