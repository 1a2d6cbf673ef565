/**
 * Scalar terms compiled to one function over a state: for evaluating the same terms many times.
 */
import type { State } from "../../../refinement/execute/state.js";
import { InternalDefect } from "../../../refinement/errors.js";
import type { Term } from "../../../refinement/terms/term.js";
import { freeVariables } from "../../../refinement/terms/variables.js";
import { emitCells, placeBinding } from "../../../refinement/compile/effects.js";
import type { Binding } from "../../../refinement/compile/binding.js";
import { CompiledModule, type Instance } from "../../../refinement/compile/instance.js";
import { Layout, type Place, type ScalarPlace } from "../../../refinement/compile/layout.js";
import { Lowering } from "../../../refinement/compile/lower.js";
import { Support } from "../../../refinement/compile/support.js";

export class CompiledTerms {
  private readonly instance: Instance;
  private readonly places = new Map<string, Place>();
  private readonly results: readonly ScalarPlace[];
  private readonly call: WebAssembly.ExportedFunction;

  /** Terms of sort bool or bits. Throws `Unsupported`. */
  constructor(terms: readonly Term[]) {
    const layout = new Layout();
    const support = new Support(layout);
    const bindings = new Map<Term, Binding>();
    for (const v of freeVariables(terms)) {
      const place = layout.place(v.sort);
      this.places.set(v.name, place);
      bindings.set(v, placeBinding(place));
    }
    const code = support.module.function([], [], "evaluate");
    const cells = terms.map((term) => {
      const place = layout.place(term.sort);
      if (place.kind !== "scalar") throw new InternalDefect("only scalars can be evaluated");
      return { term, place };
    });
    emitCells(code, support, new Lowering(), (term) => bindings.get(term), cells);
    this.results = cells.map(({ place }) => place);
    this.instance = new CompiledModule(support).instantiate();
    this.call = this.instance.function("evaluate");
  }

  /** The terms' values, unsigned; a bool is 0n or 1n. */
  evaluate(state: State): readonly bigint[] {
    for (const [name, place] of this.places) {
      const value = state.get(name);
      if (value === undefined) throw new InternalDefect(`no value is given for \`${name}\``);
      this.instance.write(place, value);
    }
    this.call();
    return this.results.map((place) => this.instance.readScalar(place));
  }
}
