/** Progress of long steps on stderr: one line that is drawn over on a terminal, a plain line per quarter elsewhere. */
import { type CliIo, styled, widthOf } from './io.ts';

export interface Progress {
  /** @param share in [0,1], or `undefined` where the end is not known */
  show(label: string, share: number | undefined): void;
  /** Takes the line away, so that other text can be written. */
  clear(): void;
}

/** The share of a download; `undefined` where nobody told how much there is. */
export function partOf(received: number, total: number | undefined): number | undefined {
  return total ? received / total : undefined;
}

const BAR_WIDTH = 24;
const REDRAW_MS = 80;

export function createProgress(io: CliIo, options: { readonly quiet?: boolean } = {}): Progress {
  const { stderr } = io;
  if (options.quiet === true) return { show() {}, clear() {} };
  return stderr.isTTY === true ? terminalProgress(io) : plainProgress(io);
}

function terminalProgress(io: CliIo): Progress {
  const { stderr } = io;
  let drawn = false;
  let drawnAtMs = 0;
  let last = '';
  return {
    show(label, share) {
      const nowMs = performance.now();
      // The first and last state of a step always show; between them a slow terminal is spared.
      if (label === last && share !== 1 && nowMs - drawnAtMs < REDRAW_MS) return;
      drawnAtMs = nowMs;
      last = label;
      const text = share === undefined ? label : `${label} ${bar(share)} ${percent(share)}`;
      const fitting = text.slice(0, widthOf(stderr) - 1);
      stderr.write(`\r\u001b[K${styled('gray', fitting, stderr, io)}`);
      drawn = true;
    },
    clear() {
      if (drawn) stderr.write('\r\u001b[K');
      drawn = false;
      last = '';
    },
  };
}

function plainProgress(io: CliIo): Progress {
  let last = '';
  let lastQuarter = -1;
  return {
    show(label, share) {
      const quarter = share === undefined ? 0 : Math.floor(share * 4);
      if (label === last && quarter <= lastQuarter) return;
      last = label;
      lastQuarter = quarter;
      io.stderr.write(share === undefined ? `${label}\n` : `${label} ${percent(share)}\n`);
    },
    clear() {
      last = '';
      lastQuarter = -1;
    },
  };
}

function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * BAR_WIDTH);
  return `${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}`;
}

function percent(share: number): string {
  return `${String(Math.round(share * 100)).padStart(3)} %`;
}
