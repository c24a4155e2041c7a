/** The one cloud model of a comparison with a proxy, as the router's own files name it. */
export const COMPARED_MODEL = 'compared-model';

export interface ComparedModel {
  /** Where the provider of both is, with `/v1`. */
  readonly baseUrl: string;
  readonly maxOutputTokens: number;
  readonly inputUsdPerMillion: number;
  readonly outputUsdPerMillion: number;
}

export function comparedModelFiles(of: ComparedModel) {
  return {
    registry: {
      version: 1,
      models: [
        {
          id: COMPARED_MODEL,
          tier: 'escalation',
          provider: 'openai-compatible',
          base_url: of.baseUrl,
          key: 'none',
          // It stands for a provider elsewhere, so prompts for it are scanned as those are.
          sends_on: true,
          tools: true,
          context_window: 128_000,
          max_output_tokens: of.maxOutputTokens,
          ability: { size_billions: 400 },
        },
      ],
    },
    pricing: {
      version: 1,
      prices: [
        {
          model: COMPARED_MODEL,
          effective_from: '2020-01-01',
          source: 'the compared provider',
          checked_at: '2020-01-01',
          input: of.inputUsdPerMillion,
          output: of.outputUsdPerMillion,
        },
      ],
    },
  };
}
