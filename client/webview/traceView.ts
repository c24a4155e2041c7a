/** Everything behind a route, drawn alike on the dashboard and under an answer. Bars repeat numbers that stand beside them. */
import type { PartWire, TraceWire } from '../../server/src/protocol.ts';
import { dataTable, el } from './dom.ts';
import { fixed, percent, t } from './strings.ts';

export function traceView(trace: TraceWire): HTMLElement {
  return el('div', { class: 'trace' }, [
    scoreSection(trace),
    confidenceSection(trace),
    listSection(t('Audit'), trace.audit === '' ? [] : [trace.audit], 'audit'),
    listSection(t('The choice would have been another if'), trace.wouldFlip, 'flip'),
    listSection(t('Found in the prompt'), trace.findings, 'findings'),
    listSection(t('Left out to fit'), trace.leftOut, 'left-out'),
    candidatesSection(trace),
    attemptsSection(trace),
  ]);
}

function scoreSection(trace: TraceWire): HTMLElement {
  const side = trace.score > trace.threshold ? t('above: looks hard') : t('not above: looks easy');
  return el('section', { class: 'trace-score' }, [
    el('h4', { text: t('Score') }),
    el('p', {
      text: t(
        '{0} of {1} needed to escalate ({2}). Task: {3}.',
        fixed(trace.score),
        fixed(trace.threshold),
        side,
        trace.task,
      ),
    }),
    gauge(
      trace.score,
      trace.threshold,
      t('Score {0}, threshold {1}', fixed(trace.score), fixed(trace.threshold)),
    ),
    partBars(t('What each feature added to the score'), trace.parts),
  ]);
}

function confidenceSection(trace: TraceWire): HTMLElement | null {
  const { confidence } = trace;
  if (!confidence) return null;
  const replaced = trace.attempts.some(({ outcome }) => outcome === 'deferred');
  const low = replaced ? t('too low: the draft was replaced') : t('too low, but the answer stands');
  const side = confidence.value < confidence.needed ? low : t('enough');
  return el('section', { class: 'trace-confidence' }, [
    el('h4', { text: t('Confidence of the answer') }),
    el('p', {
      text: t('{0} of {1} needed ({2}).', fixed(confidence.value), fixed(confidence.needed), side),
    }),
    gauge(
      confidence.value,
      confidence.needed,
      t('Confidence {0}, needed {1}', fixed(confidence.value), fixed(confidence.needed)),
    ),
    ...confidence.notes.map((note) => el('p', { class: 'trace-note', text: note })),
    partBars(t('What each sign added to the confidence'), confidence.parts),
  ]);
}

/** A value in [0,1] as a bar with a mark at the threshold. */
function gauge(value: number, mark: number, label: string): HTMLElement {
  const fill = el('span', { class: 'gauge-fill' });
  fill.style.width = `${clampShare(value) * 100}%`;
  const line = el('span', { class: 'gauge-mark' });
  line.style.left = `${clampShare(mark) * 100}%`;
  return el('div', { class: 'gauge', attrs: { role: 'img', 'aria-label': label } }, [fill, line]);
}

function partBars(caption: string, parts: readonly PartWire[]): HTMLElement | null {
  if (parts.length === 0) return null;
  const widest = Math.max(...parts.map((part) => Math.abs(part.added)), 1e-9);
  return el(
    'ul',
    { class: 'parts', attrs: { 'aria-label': caption } },
    parts.map((part) => {
      const bar = el('span', { class: part.added < 0 ? 'bar bar-less' : 'bar bar-more' });
      bar.style.width = `${(Math.abs(part.added) / widest) * 50}%`;
      return el('li', {}, [
        el('span', { class: 'part-name', text: part.name }),
        el('span', { class: 'bar-track', attrs: { 'aria-hidden': 'true' } }, [bar]),
        el('span', { class: 'part-added', text: signed(part.added) }),
        el('span', { class: 'part-detail', text: part.detail }),
      ]);
    }),
  );
}

function candidatesSection(trace: TraceWire): HTMLElement | null {
  if (trace.candidates.length === 0) return null;
  return el('section', { class: 'trace-candidates' }, [
    el('h4', { text: t('Plans considered') }),
    dataTable(
      t('Plans considered'),
      [t('Plan'), t('Cost'), t('Time'), t('Quality'), t('Why not')],
      trace.candidates.map((candidate) => [
        candidate.label,
        candidate.cost,
        candidate.latency,
        `≈ ${percent(candidate.quality)}`,
        candidate.chosen ? t('✓ chosen') : candidate.whyNot,
      ]),
    ),
  ]);
}

function listSection(title: string, lines: readonly string[], name: string): HTMLElement | null {
  if (lines.length === 0) return null;
  return el('section', { class: `trace-${name}` }, [
    el('h4', { text: title }),
    el(
      'ul',
      {},
      lines.map((line) => el('li', { text: line })),
    ),
  ]);
}

function attemptsSection(trace: TraceWire): HTMLElement | null {
  if (trace.attempts.length === 0 && trace.estimateAgainstBill === '') return null;
  return el('section', { class: 'trace-bill' }, [
    el('h4', { text: t('Estimate against bill') }),
    trace.estimateAgainstBill === ''
      ? null
      : el('p', { class: 'estimate', text: trace.estimateAgainstBill }),
    trace.attempts.length === 0
      ? null
      : dataTable(
          t('Calls made'),
          [t('Model'), t('Outcome'), t('Cost'), t('Time'), t('Price row')],
          trace.attempts.map((attempt) => [
            attempt.model,
            attempt.outcome,
            attempt.cost,
            attempt.latency,
            attempt.priceRow === '' ? t('none') : attempt.priceRow,
          ]),
        ),
  ]);
}

/** What rounds to nothing has no sign. */
function signed(value: number): string {
  const size = Math.abs(value).toFixed(2);
  if (Number(size) === 0) return size;
  return `${value < 0 ? '−' : '+'}${size}`;
}

function clampShare(value: number): number {
  return Math.min(1, Math.max(0, value));
}
