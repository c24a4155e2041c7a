/** The models as the editor's chat offers them: the router's own choice first, then every enabled model by itself. */
import type { App } from '../../compose.ts';
import { isAble } from '../../core/callerWishes.ts';
import type { Translate } from '../../core/translate.ts';
import type { Model } from '../../core/types.ts';
import type { ChatModelWire, ModelWire } from '../../protocol.ts';
import { modelCards } from '../models/cards.ts';

/** Not `auto`: VS Code takes any model of that name for Copilot's own. */
export const AUTO = 'router-auto';

export async function chatModels(app: App, t: Translate): Promise<ChatModelWire[]> {
  const cards = new Map((await modelCards(app, t)).map((card) => [card.id, card]));
  const enabled = app.catalogue.registry().models.flatMap((model) => {
    const card = cards.get(model.id);
    return model.enabled && card !== undefined ? [{ model, card }] : [];
  });
  const ready = enabled.filter(({ card }) => card.state === 'ready');
  const counted = ready.length > 0 ? ready : enabled;
  const most = (size: (model: Model) => number) =>
    Math.max(1, ...counted.map(({ model }) => size(model)));
  return [
    {
      id: AUTO,
      name: t('Router: Auto'),
      family: 'cost-aware-router',
      version: '1',
      detail: t('cheapest that is good enough'),
      tooltip: t(
        'Answers with the cheapest model that is good enough, within your budget; the status bar says where each answer came from.',
      ),
      maxInputTokens: most(inputTokens),
      maxOutputTokens: most(({ maxOutputTokens }) => maxOutputTokens),
      // Also before there is a key: VS Code's agents take the first model that can.
      callsTools: enabled.some(({ model }) => isAble(model, 'tools')),
    },
    ...enabled.map(({ model, card }) => ({
      id: model.id,
      // Beside Auto, which VS Code then lists first and takes where nobody has chosen; and told from another maker's GPT.
      name: t('Router: {model}', { model: model.label }),
      family: model.id,
      version: versionOf(model),
      detail: card.state === 'ready' ? card.price : card.detail,
      tooltip: tooltip(card, t),
      maxInputTokens: inputTokens(model),
      maxOutputTokens: model.maxOutputTokens,
      callsTools: isAble(model, 'tools'),
    })),
  ];
}

/** What is left for a prompt beside a full answer; of a small window a quarter is kept for the answer. */
function inputTokens({ contextWindow, maxOutputTokens }: Model): number {
  return contextWindow - Math.min(maxOutputTokens, Math.floor(contextWindow / 4));
}

function versionOf(model: Model): string {
  return model.provider === 'local' ? model.file.sha256.slice(0, 12) || '1' : model.apiModel;
}

function tooltip({ tier, price, speed, detail }: ModelWire, t: Translate): string {
  return [tier === 'local' ? t('local') : t('cloud'), price, speed, detail].join(' · ');
}
