/** One line of what `npm run bench` prints. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it is measured against, in the same run and unit. */
  readonly baseline?: { readonly name: string; readonly value: number };
  /** How many times as good as the baseline: above 1 is better, whether the unit is a rate or a time. */
  readonly ratio?: number;
}
