/** A GGUF of the user's own, without an entry in any registry file: a model made up from the file alone, laid over the catalogue. */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { basename, isAbsolute } from 'node:path';
import type { LocalModel, Registry } from '../core/types.ts';
import type { LiveCatalogue } from './catalogue.ts';

export type OwnModel =
  | { readonly kind: 'model'; readonly model: LocalModel }
  | { readonly kind: 'bad'; readonly why: string };

const OWN_MODEL_ID = 'own-model';

/** Files for laptops are mostly quantised to about 4.5 bits a weight. A guess that only sets the prior of its ability. */
const BYTES_PER_WEIGHT = 0.6;

/** Room for code with what is around it, in the memory of a laptop; a file trained on less gets less. */
const CONTEXT_WINDOW = 4096;

export function ownModelFrom(path: string): OwnModel {
  const bad = (what: string): OwnModel => ({
    kind: 'bad',
    why: `expected a GGUF file as your own model, got ${what}; choose a .gguf file by its full path`,
  });
  if (!isAbsolute(path)) return bad(`the relative path ${path}`);
  let sizeBytes: number;
  try {
    const stats = statSync(path);
    if (!stats.isFile()) return bad(`${path}, which is no file`);
    sizeBytes = stats.size;
    if (!isGguf(path)) return bad(`${path}, which is of another format`);
  } catch {
    return bad(`${path}, which can't be read`);
  }
  const fileName = basename(path);
  return {
    kind: 'model',
    model: {
      id: OWN_MODEL_ID,
      label: fileName.replace(/\.gguf$/i, ''),
      tier: 'cheap',
      enabled: true,
      provider: 'local',
      contextWindow: CONTEXT_WINDOW,
      maxOutputTokens: 1024,
      ability: { kind: 'size', billions: sizeBytes / BYTES_PER_WEIGHT / 1e9 },
      file: {
        fileName,
        sizeBytes,
        sha256: '',
        sources: [{ kind: 'path', path }],
        chatTemplate: 'auto',
        systemPrompt: 'You answer programmers. Be correct and brief.',
        thoughtTokens: 0,
      },
    },
  };
}

/** The catalogue with the own model that is chosen at the moment, if one is. */
export function withOwnModel(
  below: LiveCatalogue,
  own: () => LocalModel | undefined,
): LiveCatalogue {
  let last: { below: Registry; own: LocalModel; registry: Registry } | undefined;
  return {
    ...below,
    registry() {
      const registry = below.registry();
      const model = own();
      if (model === undefined) return registry;
      if (last?.below !== registry || last.own !== model) {
        const others = registry.models.filter(({ id }) => id !== OWN_MODEL_ID);
        last = {
          below: registry,
          own: model,
          registry: { ...registry, models: [model, ...others] },
        };
      }
      return last.registry;
    },
  };
}

function isGguf(path: string): boolean {
  const file = openSync(path, 'r');
  try {
    const magic = Buffer.alloc(4);
    return readSync(file, magic, 0, 4, 0) === 4 && magic.toString('latin1') === 'GGUF';
  } finally {
    closeSync(file);
  }
}
