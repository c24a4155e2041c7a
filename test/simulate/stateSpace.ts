/** Every state that can be reached from a first one, nearest first, until one of them breaks a promise. */
export interface Step<S> {
  readonly label: string;
  readonly after: S;
}

export interface StateSpace<S> {
  readonly first: S;
  /** States of one key are taken as one. */
  keyOf(state: S): string;
  stepsFrom(state: S): readonly Step<S>[];
  /** @param isLast no step leads on from it */
  findingIn(state: S, isLast: boolean): string | undefined;
}

export interface Explored {
  readonly states: number;
  /** The shortest way to a broken promise, and the promise. */
  readonly broken: { readonly finding: string; readonly path: readonly string[] } | undefined;
}

interface Reached<S> {
  readonly state: S;
  readonly from: Reached<S> | undefined;
  readonly label: string;
}

export function exploreStates<S>({ first, keyOf, stepsFrom, findingIn }: StateSpace<S>): Explored {
  const known = new Set([keyOf(first)]);
  let edge: readonly Reached<S>[] = [{ state: first, from: undefined, label: 'start' }];
  while (edge.length > 0) {
    const next: Reached<S>[] = [];
    for (const reached of edge) {
      const steps = stepsFrom(reached.state);
      const finding = findingIn(reached.state, steps.length === 0);
      if (finding !== undefined) {
        return { states: known.size, broken: { finding, path: wayTo(reached) } };
      }
      for (const { label, after } of steps) {
        const before = known.size;
        if (known.add(keyOf(after)).size === before) continue;
        next.push({ state: after, from: reached, label });
      }
    }
    edge = next;
  }
  return { states: known.size, broken: undefined };
}

function wayTo<S>({ from, label }: Reached<S>): readonly string[] {
  return from === undefined ? [] : [...wayTo(from), label];
}
