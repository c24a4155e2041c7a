/**
 * What decisions ask of models' files. What was seen a moment ago holds: a look costs a tenth of a decision, and one at what is
 * known of a file's content as much as all the rest.
 */
import type { LocalModel } from '../core/types.ts';
import { type FoundFile, findModelFile, isModelFileThere, type ModelFolders } from './modelFile.ts';

const LOOK_HOLDS_MS = 250;

/** A file that comes, goes or is another is noticed a quarter of a second later, or by the answer that needs it. */
export interface FileLook {
  isThere(model: LocalModel): boolean;
  find(model: LocalModel): FoundFile | undefined;
  /** For whoever has just fetched or read it. */
  again(model: LocalModel): void;
}

export function createFileLook(folders: ModelFolders): FileLook {
  const there = held((model) => isModelFileThere(model, folders));
  const found = held((model) => findModelFile(model, folders));
  return {
    isThere: there.see,
    find: found.see,
    again(model) {
      there.forget(model);
      found.forget(model);
    },
  };
}

function held<Seen>(look: (model: LocalModel) => Seen) {
  /** By the file's entry, which a model keeps when its ability is measured anew. */
  const last = new WeakMap<LocalModel['file'], { readonly seen: Seen; readonly atMs: number }>();
  return {
    see(model: LocalModel): Seen {
      const nowMs = performance.now();
      const before = last.get(model.file);
      if (before !== undefined && nowMs - before.atMs < LOOK_HOLDS_MS) return before.seen;
      const seen = look(model);
      last.set(model.file, { seen, atMs: nowMs });
      return seen;
    },
    forget(model: LocalModel): void {
      last.delete(model.file);
    },
  };
}
