/** What came of a run, for a terminal and for docs/PERFORMANCE.md. */
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import type { Row, ToldRow } from './rows.ts';

export function terminalTable(title: string, told: readonly ToldRow[]): string {
  const lines = told.map(({ row, note }) => {
    const mark = row.reached === null ? ' ' : row.reached ? '✓' : '✗';
    const beside = row.against === null ? '' : `  beside ${row.against}`;
    return `  ${mark} ${row.name}: ${valueText(row)}${row.goal === null ? '' : ` (to reach ${row.goal})`}${beside}${note === '' ? '' : `\n      ${note}`}`;
  });
  return `${title}\n${lines.join('\n')}`;
}

function valueText({ value, unit }: Row): string {
  return value === null ? 'no figure' : `${value} ${unit}`;
}

/**
 * The document with this run's tables: what stands between `<!-- figures NAME -->` and `<!-- end -->` is replaced by the
 * table of that section, and all other text, a person's explanations above all, is left as it is.
 */
export function tablesInto(
  document: string,
  all: ReadonlyMap<string, readonly ToldRow[]>,
  now: Date,
): string {
  return document.replaceAll(
    /(<!-- figures (\w+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (whole, start: string, name: string, end: string) => {
      if (name === 'machine') return `${start}${machineText(now)}\n${end}`;
      const told = all.get(name);
      return told === undefined ? whole : `${start}${markdownTable(told)}\n${end}`;
    },
  );
}

function markdownTable(told: readonly ToldRow[]): string {
  const lines = told.map(({ row, note }) => {
    const reached = row.reached === null ? '–' : row.reached ? 'yes' : '**no**';
    const cells = [row.name, valueText(row), row.against ?? '–', row.goal ?? '–', reached, note];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  });
  return [
    '| what | figure | beside | to reach | reached | how |',
    '| --- | --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}

function machineText(now: Date): string {
  const [first] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const load = loadavg()[0]?.toFixed(1);
  return `Run on ${now.toISOString().slice(0, 10)}: ${availableParallelism()} cores (${first?.model ?? 'unknown'}), ${memory} GB of memory, ${process.platform}, Node ${process.versions.node}; load over the last minute at the end ${load}.`;
}
