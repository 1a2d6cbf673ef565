/**
 * The arrows of docs/architecture.md. Sources are parsed by swc, so type-only imports count like any others. (Circles of
 * imports are the linter's business: it knows that types may go round.)
 */
const room = (name) => `^${name}/`;
const outside = (...rooms) => ({ path: "^(refinement|spec|impl|properties|cli|explorer|bench|test)/", pathNot: rooms });

/** The interface files of refinement/ and the terms under them: what everything may rest on. */
const base = [
  "^refinement/(machine|refinement|counterexample|verdict|errors|emulator|module-url)\\.ts$",
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
      from: { path: "^refinement/(machine|refinement|counterexample|verdict|errors|emulator)\\.ts$" },
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
      to: { path: "^(cli|explorer|properties|bench|test|refinement/campaign)/" },
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
      to: { path: "^(cli|explorer|bench|test|refinement/campaign)/" },
    },
    {
      name: "nothing-imports-the-outside",
      comment: "cli, explorer, bench and test are ends",
      severity: "error",
      from: { pathNot: "^(cli|explorer|bench|test)/" },
      to: { path: "^(cli|explorer|bench|test)/" },
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
