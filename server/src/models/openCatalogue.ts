/** The shipped registry and prices with the user's own laid over them, or the mistakes that stand against starting at all. */
import { join } from 'node:path';
import { abilityProblem } from '../core/ability.ts';
import type { FittedScore } from '../core/fittedScore.ts';
import type { Clock } from '../core/ports.ts';
import { createCatalogue, type LiveCatalogue } from './catalogue.ts';

export interface OpenCatalogueOptions {
  readonly registryPath: string;
  readonly pricingPath: string;
  /** A user's own models and prices lie here, beside the ledger, and survive an update of the package. */
  readonly dataDir: string;
  readonly fitted: FittedScore;
  readonly clock: Clock;
  readonly onProblem: (message: string) => void;
}

/** Throws a `CatalogueError`, which names every mistake with its file and line. */
export function openCatalogue(options: OpenCatalogueOptions): LiveCatalogue {
  const { registryPath, pricingPath, dataDir, fitted, clock, onProblem } = options;
  const opened = createCatalogue({
    registryPath,
    pricingPath,
    overlays: [
      {
        registryPath: join(dataDir, 'registry.yaml'),
        pricingPath: join(dataDir, 'pricing.yaml'),
      },
    ],
    onProblem: (problem) => onProblem(problem.message),
    abilityProblem: (ability) => abilityProblem(fitted, ability),
    clock,
  });
  if (opened.kind === 'ready') return opened.catalogue;
  throw new CatalogueError(opened.problems.map(({ message }) => message).join('\n'));
}

class CatalogueError extends Error {
  override readonly name = 'CatalogueError';
}
