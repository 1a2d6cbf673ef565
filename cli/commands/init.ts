import { cp, readdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Command, Option } from "commander";
import { UserError } from "../../refinement/errors.js";
import { makeFolder } from "../../refinement/make-folder.js";
import { packageRoot } from "../package.js";
import { show } from "../project.js";
import { commonOptions, session } from "../session.js";
import type { CommonOptions, Output } from "../terminal/output.js";

export function addInit(program: Command): Command {
  return commonOptions(program.command("init"))
    .description("make a new project: a small virtual machine, a claim that it keeps its promise, and a bug to find")
    .argument("<DIR>", "a folder that does not exist yet, or is empty")
    .addOption(
      new Option(
        "--kind <KIND>",
        "machine: a guest and a host that implements it, as definitions; translator: a program that translates code",
      )
        .choices(Object.keys(TEMPLATES))
        .default("machine"),
    )
    .addHelpText(
      "after",
      `
Examples:
  commute init my-vm && cd my-vm && commute check
  commute init my-jit --kind translator`,
    )
    .action((directory: string, options: InitOptions) => session(options, ({ out }) => init(directory, options, out)));
}

/** The folder of templates for each kind of project. */
const TEMPLATES = { machine: "project", translator: "translator" } as const;
const IGNORED = { machine: ".commute/\n", translator: ".commute/\nimpl/jit-c/translator\n" } as const;
type Kind = keyof typeof TEMPLATES;

interface InitOptions extends CommonOptions {
  readonly kind: Kind;
}

async function init(argument: string, { kind }: InitOptions, out: Output): Promise<number> {
  const directory = resolve(argument);
  await makeFolder(directory);
  if ((await readdir(directory)).length > 0)
    throw new UserError(`${argument} is not empty: a new project needs a folder of its own`);
  await cp(join(packageRoot(), "templates", TEMPLATES[kind]), directory, { recursive: true });
  // npm leaves files of this name out of packages, so that it cannot be among the templates.
  await writeFile(join(directory, ".gitignore"), IGNORED[kind]);
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
