/** Which fields of a client's request came through a proxy to the provider. Pure. */

/** @param fields names of fields of a chat completion; `system` and `image` stand for parts of its messages */
export function reachedText(
  body: Readonly<Record<string, unknown>> | undefined,
  fields: readonly string[],
): string {
  if (body === undefined) return 'no request';
  return fields.map((field) => `${field} ${fieldText(body, field)}`).join(', ');
}

function fieldText(body: Readonly<Record<string, unknown>>, field: string): string {
  const messages = JSON.stringify(body['messages'] ?? []);
  switch (field) {
    case 'system':
      return JSON.stringify(/"role":"system","content":"([^"]*)"/.exec(messages)?.[1] ?? null);
    case 'image':
      return messages.includes('"image_url"') ? 'whole' : 'not';
    case 'max_tokens':
      // OpenAI's newer name of the same.
      return JSON.stringify(body['max_tokens'] ?? body['max_completion_tokens'] ?? null);
    default:
      return JSON.stringify(body[field] ?? null);
  }
}
