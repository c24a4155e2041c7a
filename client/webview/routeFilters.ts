/** The filters above the routes. They only say what is wanted; the server does the looking. */
import type { RoutesParams } from '../../server/src/protocol.ts';
import { el } from './dom.ts';
import { afterFirstParts } from './laterParts.ts';
import { servedWord, t } from './strings.ts';

export type RouteFilters = Pick<RoutesParams, 'served' | 'modelId' | 'reason' | 'search'>;

interface Select extends HTMLElement {
  value: string;
}

/** Typing pauses this long before the server is asked. */
const PAUSE_MS = 250;
const ALL = '';

export interface RouteFilterBar {
  readonly element: HTMLElement;
  values(): RouteFilters;
  active(): boolean;
  /** Back to all routes, without telling of a change. */
  clear(): void;
  setModels(models: readonly { readonly id: string; readonly label: string }[]): void;
}

export function createRouteFilters(onChange: () => void): RouteFilterBar {
  const servedWords = ['local', 'cloud', 'cache', 'none'] as const;
  const served = select(t('Answered by'), t('all answers'), onChange);
  const model = select(t('Model'), t('any model'), onChange);
  const reason = select(t('Reason'), t('any reason'), onChange);
  // The menus open once the controls are loaded.
  void afterFirstParts.then(() => {
    served.append(...servedWords.map((word) => option(word, servedWord(word))));
    reason.append(...reasonWords().map(([code, words]) => option(code, words)));
  });

  let pause: ReturnType<typeof setTimeout> | undefined;
  const search = el('vscode-textfield', {
    class: 'search',
    attrs: { placeholder: t('Search'), label: t('Search routes') },
    on: {
      input: () => {
        clearTimeout(pause);
        pause = setTimeout(onChange, PAUSE_MS);
      },
    },
  }) as Select;

  const servedValue = (): RouteFilters['served'] =>
    servedWords.find((word) => word === served.value);
  const values = (): RouteFilters => {
    const chosen = servedValue();
    const text = search.value?.trim() ?? '';
    return {
      ...(chosen ? { served: chosen } : {}),
      ...(model.value ? { modelId: model.value } : {}),
      ...(reason.value ? { reason: reason.value } : {}),
      ...(text ? { search: text.slice(0, 200) } : {}),
    };
  };
  let known = '';
  return {
    element: el(
      'div',
      { class: 'filters', attrs: { role: 'search', 'aria-label': t('Filter routes') } },
      [served, model, reason, search],
    ),
    values,
    active: () => Object.keys(values()).length > 0,
    clear: () => {
      clearTimeout(pause);
      for (const field of [served, model, reason, search]) field.value = ALL;
    },
    setModels: (models) => {
      const next = JSON.stringify(models);
      if (next === known) return;
      known = next;
      const chosen = model.value;
      model.replaceChildren(
        option(ALL, t('any model')),
        ...models.map(({ id, label }) => option(id, label)),
      );
      if (models.some(({ id }) => id === chosen)) model.value = chosen;
    },
  };
}

function select(label: string, all: string, onChange: () => void): Select {
  return el('vscode-single-select', { attrs: { label, title: label }, on: { change: onChange } }, [
    option(ALL, all),
  ]) as Select;
}

function option(value: string, text: string): HTMLElement {
  return el('vscode-option', { text, attrs: { value } });
}

function reasonWords(): readonly (readonly [string, string])[] {
  return [
    ['prompt_complexity_low', t('looks easy')],
    ['prompt_complexity_high', t('looks hard')],
    ['conversation_kept', t('conversation kept')],
    ['low_confidence', t('draft unsure')],
    ['confident', t('local answer sure')],
    ['cache_hit', t('answered before')],
    ['forced', t('asked for by hand')],
    ['privacy_floor', t('kept local: private')],
    ['quality_unreachable', t('quality out of reach')],
    ['cost_limit', t('cost limit')],
    ['latency_limit', t('time limit')],
    ['context_limit', t('too long to fit')],
    ['capability_missing', t('tools or form needed')],
    ['budget_pacing', t('budget pacing')],
    ['budget_exhausted', t('budget used up')],
    ['no_api_key', t('no key')],
    ['model_missing', t('model missing')],
    ['provider_unavailable', t('provider unavailable')],
    ['unknown_price', t('unknown price')],
  ];
}
