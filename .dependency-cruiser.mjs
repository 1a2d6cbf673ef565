/**
 * The arrows of docs/architecture.md. Sources are parsed by swc, so type-only imports count like any others. (Circles of
 * imports are the linter's business: it knows that types may go round.)
 */
const room = (name) => `^${name}/`;
const outside = (...rooms) => ({
  path: "^(refinement|spec|impl|properties|cli|explorer|bench|validation|test)/",
  pathNot: rooms,
});

/** The interface files of refinement/ and the terms under them: what everything may rest on. */
const base = [
  "^refinement/(machine|refinement|decoded|counterexample|verdict|errors|emulator|gdb|module-url)\\.ts$",
  "^refinement/execute/state\\.ts$",
  "^refinement/terms/",
];

export default {
  forbidden: [
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    {
      name: "declared-packages",
      comment: "only what package.json declares",
      severity: "error",
      from: {},
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown"] },
    },
    {
      name: "shipped-code-needs-no-dev-packages",
      severity: "error",
      from: { path: "^(refinement|spec|impl|properties|cli)/" },
      to: { dependencyTypes: ["npm-dev"], pathNot: "^node_modules/@types/" },
    },
    {
      name: "terms-rest-on-nothing",
      severity: "error",
      from: { path: room("refinement/terms") },
      to: outside("^refinement/terms/", "^refinement/errors\\.ts$"),
    },
    {
      name: "machine-rests-on-terms",
      severity: "error",
      from: { path: "^refinement/(machine|refinement|decoded|counterexample|verdict|errors|emulator|gdb)\\.ts$" },
      to: outside(...base),
    },
    {
      name: "solver-knows-only-terms",
      severity: "error",
      from: { path: room("refinement/solver") },
      to: outside("^refinement/solver/", ...base),
    },
    {
      name: "notation-makes-machines",
      comment: "the notation knows terms and machines, nothing that checks them",
      severity: "error",
      from: { path: room("spec/notation") },
      to: outside("^spec/notation/", ...base),
    },
    {
      name: "checker-knows-no-machine-or-vm",
      severity: "error",
      from: { path: "^(refinement|properties|cli)/" },
      to: { path: "^(spec/(?!notation/)|impl/)" },
    },
    {
      name: "machines-and-vms-do-not-drive",
      comment: "spec and impl never import cli, properties or the campaign",
      severity: "error",
      from: { path: "^(spec|impl)/" },
      to: { path: "^(cli|explorer|properties|bench|validation|test|refinement/campaign)/" },
    },
    {
      name: "vms-share-only-impl-shared",
      severity: "error",
      from: { path: "^impl/([^/]+)/" },
      to: { path: "^impl/", pathNot: ["^impl/$1/", "^impl/shared/"] },
    },
    {
      name: "properties-do-not-drive",
      severity: "error",
      from: { path: room("properties") },
      to: { path: "^(cli|explorer|bench|validation|test|refinement/campaign)/" },
    },
    {
      name: "nothing-imports-the-outside",
      comment: "cli, explorer, bench, validation and test are ends",
      severity: "error",
      from: { pathNot: "^(cli|explorer|bench|validation|test)/" },
      to: { path: "^(cli|explorer|bench|validation|test)/" },
    },
    {
      name: "iced-behind-its-interface",
      comment: "one backend of refinement/assembly/library.ts knows the library",
      severity: "error",
      from: { pathNot: "^(refinement/assembly/x86|test)/" },
      to: { path: "node_modules/iced-x86/" },
    },
    {
      name: "decoders-are-loaded-when-needed",
      comment:
        "no command loads a decoder's WebAssembly for a machine that does without; types may be told from the other files",
      severity: "error",
      from: { pathNot: "^(refinement/assembly/x86|impl|test)/" },
      to: { path: "^refinement/assembly/x86/index\\.ts$", dynamic: false },
    },
    {
      name: "runs-in-a-browser",
      comment: "terms and compile use nothing of Node's",
      severity: "error",
      from: { path: "^refinement/(terms|compile)/" },
      to: { dependencyTypes: ["core"] },
    },
  ],
  options: {
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(dist|node_modules/\\.)" },
    enhancedResolveOptions: {
      extensions: [".ts", ".js", ".mjs", ".json", ".d.ts"],
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
    },
  },
};
