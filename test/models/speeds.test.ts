import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { noteSpeed, UNKNOWN_USAGE } from '../../server/src/core/modelCall.ts';
import type { SpeedSample } from '../../server/src/core/ports.ts';
import { createSpeeds } from '../../server/src/models/speeds.ts';
import { LOCAL, MINI, registry, scriptedRouter } from '../support/scriptedPorts.ts';

const folder = mkdtempSync(join(tmpdir(), 'speeds-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function sample(firstTokenMs: number): SpeedSample {
  return { inputTokens: 100, outputTokens: 11, firstTokenMs, latencyMs: firstTokenMs + 500 };
}

test('medians of the last twenty samples', () => {
  const speeds = createSpeeds(join(folder, 'medians.json'));
  assert.equal(speeds.get('model'), undefined);
  for (const ms of [1000, 250, 500]) speeds.record('model', sample(ms));
  assert.deepEqual(speeds.get('model'), {
    promptTokensPerSecond: 200,
    outputTokensPerSecond: 20,
    timeToFirstTokenMs: 500,
    samples: 3,
  });
  for (let count = 0; count < 30; count += 1) speeds.record('model', sample(100));
  assert.equal(speeds.get('model')?.samples, 20);
  assert.equal(speeds.get('model')?.timeToFirstTokenMs, 100);
  assert.equal(speeds.get('another'), undefined);
});

test('what a local model reused took no time, and too little reading tells no reading speed', () => {
  const speeds = createSpeeds(join(folder, 'reused.json'));
  const { ports } = scriptedRouter();
  const note = (id: string, cachedInputTokens: number | undefined, firstTokenMs: number) => {
    const model = registry.models.find((each) => each.id === id)!;
    const usage = { ...UNKNOWN_USAGE, inputTokens: 400, cachedInputTokens, outputTokens: 11 };
    noteSpeed({ ...ports, speeds }, model, usage, { firstTokenMs, latencyMs: firstTokenMs + 500 });
    return speeds.get(id);
  };
  assert.equal(note(LOCAL, 390, 100), undefined);
  assert.equal(note(LOCAL, undefined, 2000)?.promptTokensPerSecond, 200);
  assert.equal(note(LOCAL, 300, 500)?.promptTokensPerSecond, 200);
  for (let count = 0; count < 30; count += 1) note(LOCAL, 390, 100);
  assert.deepEqual(speeds.get(LOCAL), {
    promptTokensPerSecond: 200,
    outputTokensPerSecond: 20,
    timeToFirstTokenMs: 100,
    samples: 20,
  });
  assert.equal(note(MINI, 390, 500)?.promptTokensPerSecond, 800, 'the way to the cloud counts');
});

test('samples outlive the process and a damaged file starts empty', () => {
  const path = join(folder, 'deeper', 'kept.json');
  const speeds = createSpeeds(path);
  speeds.record('model', sample(500));
  speeds.flush();
  assert.equal(createSpeeds(path).get('model')?.samples, 1);
  assert.deepEqual(readdirSync(join(folder, 'deeper')), ['kept.json']);
  for (const damage of ['', '{', '[]', '{"model":[{"inputTokens":-1}]}']) {
    writeFileSync(path, damage);
    assert.equal(createSpeeds(path).get('model'), undefined);
  }
});

test('what says nothing about speed is not a speed', () => {
  const speeds = createSpeeds(join(folder, 'none.json'));
  speeds.record('silent', { inputTokens: 5, outputTokens: 0, firstTokenMs: 1, latencyMs: 1 });
  speeds.record('broken', {
    inputTokens: 5,
    outputTokens: 5,
    firstTokenMs: Number.NaN,
    latencyMs: 1,
  });
  speeds.record('one token', { inputTokens: 5, outputTokens: 1, firstTokenMs: 10, latencyMs: 10 });
  assert.equal(speeds.get('silent'), undefined);
  assert.equal(speeds.get('broken'), undefined);
  assert.equal(speeds.get('one token'), undefined);
});
