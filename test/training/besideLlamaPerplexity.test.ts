/**
 * Perplexity beside llama.cpp's own tool, which reckons in its own way: whole windows, of each the second half. Left out
 * unless `COST_AWARE_ROUTER_LLAMA_PERPLEXITY` names the program; docs/training.md says how it can be had.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { openGgufScorer } from '../../server/src/training/ggufScorer.ts';
import { summary } from '../../server/src/training/perplexity.ts';
import { ensureSmolLm2, repositoryRoot } from '../support/localModel.ts';

const { COST_AWARE_ROUTER_LLAMA_PERPLEXITY: tool, COST_AWARE_ROUTER_LLAMA_PERPLEXITY_MODEL: own } =
  process.env;
const WINDOW = 256;
const WINDOWS = 6;
/** Well more than WINDOWS windows of text. */
const CHARACTERS = 12_000;

test('our perplexity is that of llama-perplexity within 0.1 %', {
  skip: tool === undefined && 'COST_AWARE_ROUTER_LLAMA_PERPLEXITY names no program',
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'llama-perplexity-'));
  const book = readFileSync(join(repositoryRoot, 'data/corpus/mobyDick.txt'), 'utf8');
  const text = book.slice(0, CHARACTERS);
  const file = join(folder, 'text.txt');
  writeFileSync(file, text);
  try {
    for (const model of [await ensureSmolLm2(), ...(own === undefined ? [] : [own])]) {
      const theirs = await theirPerplexity(model, file);
      const ours = await perplexityOfSecondHalves(model, text);
      assert.ok(
        Math.abs(ours / theirs - 1) <= 0.001,
        `${model}: expected ${theirs} within 0.1 %, got ${ours}`,
      );
      process.stderr.write(`· ${model}: llama-perplexity ${theirs}, ours ${ours.toFixed(4)}\n`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

async function theirPerplexity(model: string, file: string): Promise<number> {
  const { stdout, stderr } = await promisify(execFile)(tool ?? '', [
    ...['-m', model, '-f', file, '-c', `${WINDOW}`, '-b', `${WINDOW}`, '--chunks', `${WINDOWS}`],
    // As precise as ours: halves in the cache would show in the fourth digit.
    ...['-t', '1', '-ctk', 'f32', '-ctv', 'f32', '-fa', 'off'],
  ]);
  const found = /Final estimate: PPL = ([\d.]+)/.exec(`${stdout}${stderr}`)?.[1];
  assert.ok(found !== undefined, `expected a final estimate, got ${stdout}${stderr}`);
  return Number(found);
}

/** The begin token stands at the head of each window, in place of what was there, as the tool has it. */
async function perplexityOfSecondHalves(model: string, text: string): Promise<number> {
  const { signal } = new AbortController();
  const scorer = await openGgufScorer(model, { threads: 1, window: WINDOW, signal });
  try {
    const { begin } = scorer;
    const ids = [...(begin === undefined ? [] : [begin]), ...(await scorer.encode(text))];
    assert.ok(ids.length > WINDOW * WINDOWS, `${ids.length} tokens are too few`);
    const scores: { readonly tokens: number; readonly totalNll: number }[] = [];
    for (let at = 0; at < WINDOW * WINDOWS; at += WINDOW) {
      const window = Int32Array.from(ids.slice(at, at + WINDOW));
      if (begin !== undefined) window[0] = begin;
      const losses = await scorer.losses(
        window.subarray(0, WINDOW - 1),
        window.subarray(1),
        WINDOW / 2,
      );
      scores.push({
        tokens: losses.length,
        totalNll: losses.reduce((sum, loss) => sum + loss, 0),
      });
    }
    return summary(scores).perplexity;
  } finally {
    scorer.close();
  }
}
