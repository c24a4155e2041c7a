/** What would be sent, as a person reads it: each request as HTTP writes it, its body as the same JSON on several lines. */
import { reasonSentence } from './reason.ts';
import { formatUsd, labelOf } from './report.ts';
import { english, type Translate } from './translate.ts';
import type { Registry } from './types.ts';
import type { WouldSend, WouldSendRequest } from './wouldSend.ts';

export function wouldSendText(
  found: Extract<WouldSend, { kind: 'routed' }>,
  registry: Registry,
  t: Translate = english,
): string {
  const { route, requests } = found;
  const names = labelOf(registry);
  const because = reasonSentence(route.reason, names, formatUsd, t);
  if (requests.length === 0) {
    return `# ${t('Nothing would leave this machine.')}\n# ${because}\n`;
  }
  return requests
    .map((request) => requestText(request, names(request.modelId), because, t))
    .join('\n');
}

function requestText(
  { url, body, when }: WouldSendRequest,
  model: string,
  because: string,
  t: Translate,
): string {
  return [
    `# ${whenText(when, model, t)}`,
    `# ${because}`,
    `POST ${url}`,
    'Content-Type: application/json',
    'Authorization: Bearer ***',
    '',
    JSON.stringify(JSON.parse(body), null, 2),
    '',
  ].join('\n');
}

function whenText(when: WouldSendRequest['when'], model: string, t: Translate): string {
  switch (when) {
    case 'always':
      return t('Sent to {model}:', { model });
    case 'if-unsure':
      return t('Sent to {model} only if the local answer is unsure:', { model });
    case 'audit':
      return t(
        'Sent to {model} only if the local answer is drawn for an audit; both answers may follow, to be compared:',
        { model },
      );
  }
}
