// What one step of the release check may say, and how all of them are told.

export type Verdict =
  /** `said`: what was found, in a few words. */
  | { readonly kind: 'ok'; readonly said: string }
  | { readonly kind: 'failed'; readonly why: string }
  /** Nothing was found out, and nobody should think so. */
  | { readonly kind: 'left out'; readonly why: string };

export interface Check {
  readonly name: string;
  /** What it throws counts as a failure. */
  run(): Promise<Verdict>;
}

export interface Checked {
  readonly name: string;
  readonly verdict: Verdict;
  readonly seconds: number;
}

export const ok = (said: string): Verdict => ({ kind: 'ok', said });
export const failed = (why: string): Verdict => ({ kind: 'failed', why });
export const leftOut = (why: string): Verdict => ({ kind: 'left out', why });

/** Fails with all that is wrong, one to a line. */
export function unless(wrong: readonly string[], said: string): Verdict {
  return wrong.length === 0 ? ok(said) : failed(wrong.join('\n'));
}

export async function runCheck({ name, run }: Check): Promise<Checked> {
  const startedMs = performance.now();
  const verdict = await run().catch((error: unknown) =>
    failed(error instanceof Error ? error.message : String(error)),
  );
  return { name, verdict, seconds: (performance.now() - startedMs) / 1000 };
}

export function tableOf(all: readonly Checked[]): string {
  const width = Math.max(...all.map(({ name }) => name.length));
  const lines = all.map(({ name, verdict, seconds }) => {
    const [first = '', ...more] = (verdict.kind === 'ok' ? verdict.said : verdict.why).split('\n');
    const head = `${name.padEnd(width)}  ${verdict.kind.padEnd(8)}  ${seconds.toFixed(0).padStart(3)} s  ${first}`;
    return [head, ...more.map((line) => `    ${line}`)].join('\n');
  });
  const count = (kind: Verdict['kind']) =>
    all.filter(({ verdict }) => verdict.kind === kind).length;
  const sums = `${count('ok')} ok, ${count('failed')} failed, ${count('left out')} left out`;
  return `${lines.join('\n')}\n\n${sums}\n`;
}
