/** The cloud models under the base URL and the key in force, both of which may change while the program runs. */
import { type CloudPort, createCloudModels } from './openai.ts';

/** A key with the base URL that it was entered for; at any other it is not used. */
export interface ApiKey {
  readonly key: string;
  readonly baseUrl: string;
}

/** The cloud under the base URL and the key in force. A call that is under way goes on as it began. */
export function createLiveCloud(
  baseUrl: () => string | undefined,
  apiKey: () => ApiKey | undefined,
): CloudPort {
  let made: { readonly url: string | undefined; readonly port: CloudPort } | undefined;
  function port(): CloudPort {
    const url = baseUrl();
    if (made === undefined || made.url !== url) {
      const cloud = createCloudModels({
        // The key was given for one address; a model at any other gets none.
        key: (asked) => {
          const held = apiKey();
          return held !== undefined && sameUrl(held.baseUrl, asked) ? held.key : undefined;
        },
        ...(url === undefined ? {} : { openaiBaseUrl: url }),
      });
      made = { url, port: cloud };
    }
    return made.port;
  }
  return {
    availability: (model) => port().availability(model),
    body: (model, request) => port().body(model, request),
    identity: (model) => port().identity(model),
    generate: (model, request, signal) => port().generate(model, request, signal),
  };
}

function sameUrl(a: string, b: string): boolean {
  return a === b || a.replace(/\/+$/, '') === b.replace(/\/+$/, '');
}
