/** Who takes over from the first model of a route or a plan. */

export interface Stepped {
  readonly ifUnsure: string | undefined;
  /** Ids, or what a plan knows of each. */
  readonly further?: readonly (string | { readonly modelId: string })[];
}

/** Ids, in the order in which they take over. */
export function stepsAbove({ ifUnsure, further = [] }: Stepped): readonly string[] {
  if (ifUnsure === undefined) return [];
  return [ifUnsure, ...further.map((one) => (typeof one === 'string' ? one : one.modelId))];
}
