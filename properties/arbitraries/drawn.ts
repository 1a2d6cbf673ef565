import { Arbitrary, type Random, type Stream, stream, Value } from "fast-check";

/**
 * The one shape of the arbitraries here: they draw from a random source and shrink a value without knowing how it was
 * drawn. So a value met deep inside a run, far from the `fc.property` that began it, shrinks like any other.
 */
export abstract class Drawn<T> extends Arbitrary<T> {
  /** Equal sources give equal values. */
  abstract draw(random: Random): T;

  /** Values to try instead, boldest first; each has a lesser `size`. */
  abstract smaller(value: T): Iterable<T>;

  /** What shrinking lessens: never negative, so that it ends. */
  abstract size(value: T): bigint;

  override generate(random: Random): Value<T> {
    return new Value(this.draw(random), undefined);
  }

  /** Nobody hands in values that were not drawn here. */
  override canShrinkWithoutContext(value: unknown): value is T {
    void value;
    return false;
  }

  override shrink(value: T): Stream<Value<T>> {
    return stream(wrapped(this.smaller(value)));
  }
}

function* wrapped<T>(values: Iterable<T>): IterableIterator<Value<T>> {
  for (const value of values) yield new Value(value, undefined);
}
