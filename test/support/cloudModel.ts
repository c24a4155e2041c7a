import type { CloudModel } from '../../server/src/core/types.ts';

/** A cloud model for tests of what its wire says: no key, and at a compatible server an address that nobody listens on. */
export function cloudModel(provider: 'openai' | 'openai-compatible'): CloudModel {
  return {
    id: 'm',
    label: 'm',
    tier: 'escalation',
    enabled: true,
    provider,
    contextWindow: 1000,
    maxOutputTokens: 100,
    ability: { kind: 'size', billions: 1 },
    apiModel: 'm',
    key: 'none',
    tools: false,
    ...(provider === 'openai' ? {} : { baseUrl: 'http://127.0.0.1:1/v1' }),
  };
}
