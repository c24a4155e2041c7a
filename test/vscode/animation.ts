/** A short animated picture of a page: what changed while it was watched, in its own order and not in its own time. */
import type { Page } from 'playwright-core';
import sharp from 'sharp';

interface Frame {
  readonly png: Buffer;
  readonly atMs: number;
}

const WIDTH = 960;
const COLOURS = 128;
/** Nothing that waits is watched for longer, and nothing that hurries is missed. */
const LONGEST_MS = 350;
const SHORTEST_MS = 120;
const LAST_MS = 3_000;
const PAUSE_MS = 150;

export interface Animation {
  start(): void;
  /** What happens until the next start is left out. */
  stop(): Promise<void>;
  write(path: string): Promise<void>;
}

export function createAnimation(page: Page): Animation {
  const frames: Frame[] = [];
  let watching = false;
  let watched = Promise.resolve();

  async function look(): Promise<void> {
    const png = await page.screenshot();
    if (!frames.at(-1)?.png.equals(png)) frames.push({ png, atMs: performance.now() });
  }

  async function watch(): Promise<void> {
    while (watching) {
      await look();
      await page.waitForTimeout(PAUSE_MS);
    }
  }

  return {
    start() {
      watching = true;
      watched = watch();
    },
    async stop() {
      watching = false;
      await watched;
      await look();
    },
    write: (path) => writeAnimation(frames, path),
  };
}

async function writeAnimation(frames: readonly Frame[], path: string): Promise<void> {
  const pictures = await Promise.all(
    frames.map(({ png }) => sharp(png).resize({ width: WIDTH }).png().toBuffer()),
  );
  const delay = frames.map(({ atMs }, at) => {
    const next = frames[at + 1];
    if (next === undefined) return LAST_MS;
    return Math.round(Math.min(LONGEST_MS, Math.max(SHORTEST_MS, next.atMs - atMs)));
  });
  await sharp(pictures, { join: { animated: true } })
    .gif({ delay, loop: 0, colours: COLOURS, effort: 8 })
    .toFile(path);
}
