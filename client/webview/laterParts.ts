/**
 * What the dashboard loads after its first rows stand on the screen: the editor's controls and the chart library, which are
 * three quarters of its code.
 */
import type uPlot from 'uplot';

let tellDrawn: () => void;
/** Resolves when they are painted. */
export const afterFirstParts = new Promise<void>((resolve) => {
  tellDrawn = resolve;
});

/** What a person looks for first is in the page; the rest follows once it is painted. */
export function firstPartsDrawn(): void {
  // A frame, and then the time after it: code that is loaded in the frame would delay its painting.
  requestAnimationFrame(() => setTimeout(tellDrawn));
}

export async function loadControls(): Promise<void> {
  await afterFirstParts;
  await import('./controls.ts');
}

let library: Promise<{ readonly default: typeof uPlot }> | undefined;

export function chartLibrary(): Promise<{ readonly default: typeof uPlot }> {
  library ??= afterFirstParts.then(() => import('uplot'));
  return library;
}
