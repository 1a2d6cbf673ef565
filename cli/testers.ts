/** The testers of properties/, which the campaign loads in its worker threads by URL. */
import type { Testers } from "../refinement/campaign/options.js";
import { compiledModule } from "../refinement/module-url.js";

export function testers(): Testers {
  return {
    machine: compiledModule("./machine-tester.js", import.meta.url).href,
    emulator: compiledModule("./emulator-tester.js", import.meta.url).href,
    translator: compiledModule("./translator-tester.js", import.meta.url).href,
  };
}
