/** The lines under the question while it is typed: where it would go, for how much at most, and why. Pure. */
import type {
  ContextWire,
  Destination,
  PreviewResult,
  RouteWire,
} from '../../server/src/protocol.ts';
import type { Translate } from './translate.ts';

export interface PreviewItem {
  readonly label: string;
  readonly description: string;
  readonly detail: string;
}

/** A label that no typed text matches, so that the second item never sorts above the first. */
const NO_LABEL = ' ';

/** Always two items of two lines, so that nothing moves while a person types. */
export function previewItems(
  preview: PreviewResult,
  context: string,
  t: Translate,
): readonly [PreviewItem, PreviewItem] {
  switch (preview.kind) {
    case 'empty':
      return [
        {
          label: t('Type a question'),
          description: '',
          detail: t('Where it goes and what it costs at most shows here.'),
        },
        second('', context, t),
      ];
    case 'at_limit':
      return [
        {
          label: `$(question) ${t('at the limit: asks first')}`,
          description: '',
          detail: preview.message,
        },
        second('', context, t),
      ];
    case 'refused':
      return [
        { label: `$(circle-slash) ${t('not answered')}`, description: '', detail: preview.message },
        second('', context, t),
      ];
    case 'route': {
      const { model, tier, estimate, latency, reason } = preview.route;
      const where = tier === 'local' ? t('local') : t('cloud');
      const { leftOut } = preview.route.trace;
      const time = latency === t('unknown') ? t('time unknown') : latency;
      return [
        {
          label: `$(arrow-right) ${[where, model, estimate, time].join(' · ')}`,
          description: '',
          detail: reason,
        },
        second(
          boundText(preview.route, t),
          [preview.context || context, ...leftOut].join(' · '),
          t,
        ),
      ];
    }
  }
}

/** What is attached, by name alone: its tokens stand there once a question is. */
export function contextLine(context: readonly ContextWire[], t: Translate): string {
  const [first] = context;
  if (first === undefined) return '';
  if (context.length > 1) return t('{0} attachments', context.length);
  const lines = first.text.split('\n').length;
  return first.kind === 'selection'
    ? t('selection ({0} lines)', lines)
    : t('{0} ({1} lines)', first.path ?? first.kind, lines);
}

/** A plan whose bound is its estimate (a free one) need not say it twice. */
function boundText({ ifUnsure, bound, estimate }: RouteWire, t: Translate): string {
  if (ifUnsure !== null) return t('if unsure: {0}, {1}', ifUnsure, bound);
  return bound === estimate ? '' : bound;
}

function second(description: string, context: string, t: Translate): PreviewItem {
  const detail = context === '' ? t('no context') : t('context: {0}', context);
  return { label: NO_LABEL, description: description || NO_LABEL, detail };
}

const NEXT: Readonly<Record<Destination, Destination>> = {
  auto: 'local',
  local: 'cloud',
  cloud: 'auto',
};

export function nextDestination(destination: Destination): Destination {
  return NEXT[destination];
}

export function destinationLabel(destination: Destination, t: Translate): string {
  switch (destination) {
    case 'auto':
      return t('automatic');
    case 'local':
      return t('local only');
    case 'cloud':
      return t('cloud');
  }
}
