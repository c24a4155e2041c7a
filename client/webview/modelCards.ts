/** One card per model: what it is, whether it can answer now, what it costs, how fast and how large it was measured here. */
import type { DownloadProgress, ModelWire } from '../../server/src/protocol.ts';
import type { PageCommand } from '../src/webviewMessages.ts';
import { button, el } from './dom.ts';
import { percent, t } from './strings.ts';

export type RunCommand = (command: PageCommand, modelId: string | null) => void;

export function modelCards(models: readonly ModelWire[], run: RunCommand): HTMLElement {
  return el('section', { class: 'models', attrs: { 'aria-labelledby': 'models-title' } }, [
    el('h2', { text: t('Models'), attrs: { id: 'models-title' } }),
    el(
      'div',
      { class: 'model-cards' },
      models.map((model) => modelCard(model, run)),
    ),
  ]);
}

function modelCard(model: ModelWire, run: RunCommand): HTMLElement {
  const roles = model.chosenAs.map(roleWord);
  const next = nextStep(model);
  return el(
    'article',
    { class: 'card model', attrs: { 'data-model': model.id, 'aria-label': model.label } },
    [
      el('h3', { text: model.label }),
      el('p', { class: 'badges' }, [
        el('vscode-badge', { text: model.tier === 'local' ? t('local') : t('cloud') }),
        ...roles.map((role) => el('vscode-badge', { text: role })),
      ]),
      el('p', { class: 'state', text: stateWord(model) }),
      model.detail === '' ? null : el('p', { class: 'line', text: model.detail }),
      el('dl', {}, [
        ...fact(t('Price'), model.price),
        ...fact(t('Speed here'), model.speed),
        ...(model.memory === '' ? [] : fact(t('Memory here'), model.memory)),
        ...(model.threads === '' ? [] : fact(t('Threads here'), model.threads)),
        ...(model.sizeBytes === null ? [] : fact(t('Size'), megabytes(model.sizeBytes))),
        ...fact(t('Provider'), model.provider),
      ]),
      next === null ? null : button(next.text, () => run(next.command, model.id)),
    ],
  );
}

function fact(name: string, text: string): readonly HTMLElement[] {
  return [el('dt', { text: name }), el('dd', { text })];
}

function nextStep(
  model: ModelWire,
): { readonly text: string; readonly command: PageCommand } | null {
  if (!model.enabled) return null;
  if (model.state === 'missing') return { text: t('Download'), command: 'download_model' };
  if (model.state === 'no_key') return { text: t('Enter a key'), command: 'set_key' };
  if (model.state === 'unavailable') return { text: t('Show log'), command: 'show_log' };
  return null;
}

function stateWord(model: ModelWire): string {
  if (!model.enabled) return t('off');
  switch (model.state) {
    case 'ready':
      return t('ready');
    case 'missing':
      return t('not on this machine yet');
    case 'no_key':
      return t('needs a key');
    case 'unavailable':
      return t('not available');
  }
}

function roleWord(role: ModelWire['chosenAs'][number]): string {
  switch (role) {
    case 'cheap':
      return t('answers first');
    case 'escalation':
      return t('answers the hard ones');
    case 'baseline':
      return t('baseline');
  }
}

/** A running download in one line with a bar. */
export function downloadLine(progress: DownloadProgress): HTMLElement {
  const { receivedBytes, totalBytes } = progress;
  const share = totalBytes ? receivedBytes / totalBytes : null;
  const fill = el('span', { class: 'budget-fill' });
  fill.style.width = `${Math.min(1, share ?? 0) * 100}%`;
  return el('div', { class: 'notice download', attrs: { role: 'status' } }, [
    el('p', { text: progress.message === '' ? t('Downloading the model') : progress.message }),
    share === null
      ? null
      : el('div', { class: 'budget-line' }, [
          el(
            'div',
            {
              class: 'budget-bar',
              attrs: {
                role: 'progressbar',
                'aria-label': t('Download'),
                'aria-valuemin': 0,
                'aria-valuemax': 100,
                'aria-valuenow': Math.round(share * 100),
              },
            },
            [fill],
          ),
          el('span', { text: percent(share) }),
        ]),
  ]);
}

function megabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}
