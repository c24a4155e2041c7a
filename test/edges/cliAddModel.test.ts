/** `models add`: a model is taken in, measured, and calibrated where that says anything, or where it is asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CalibrationRequest } from '../../server/src/calibrationDesk.ts';
import type { App } from '../../server/src/compose.ts';
import { ZERO_USD } from '../../server/src/core/price.ts';
import { LOCAL, registry } from '../support/scriptedPorts.ts';
import { cli } from './cliHarness.ts';

interface Taken {
  readonly parameters: number;
  readonly context?: 'small';
}

/** The model appears in the registry when it is added; a calibration is asked for and then cancelled. */
function adding({ parameters, context }: Taken, asked: CalibrationRequest[]) {
  return (app: App): App => {
    let added = false;
    const base = registry.models.find(({ id }) => id === LOCAL);
    assert.ok(base !== undefined);
    const mine = { ...base, id: 'mine', label: 'mine' };
    return {
      ...app,
      catalogue: {
        ...app.catalogue,
        registry: () => (added ? { ...registry, models: [...registry.models, mine] } : registry),
      },
      async addModel(_path, { id }) {
        added = true;
        return { kind: 'added', id: id ?? '', parameters };
      },
      local: {
        ...app.local,
        prepare: async () => ({ kind: 'ready', path: 'mine.gguf' }),
        probe: async () =>
          context === 'small'
            ? {
                kind: 'failed',
                failure: {
                  code: 'context_limit',
                  message: '',
                  retryable: false,
                  billing: 'nothing',
                },
              }
            : {
                kind: 'measured',
                speed: {
                  promptTokensPerSecond: 500,
                  outputTokensPerSecond: 50,
                  timeToFirstTokenMs: 400,
                  samples: 1,
                },
              },
      },
      calibration: {
        ...app.calibration,
        async run(request) {
          asked.push(request);
          request.onProgress?.({ done: 12, total: 90 });
          return { kind: 'cancelled', answered: 12, total: 90, cloudNanoUsd: ZERO_USD };
        },
      },
    };
  };
}

const rows: readonly [string, Taken, string[], boolean][] = [
  ['a useful model', { parameters: 500e6 }, [], true],
  ['a useful model, as it is not wanted', { parameters: 500e6 }, ['--no-calibrate'], false],
  ['a tiny one', { parameters: 5e6 }, [], false],
  ['a tiny one, as it is wanted', { parameters: 5e6 }, ['--calibrate'], true],
  ['one whose context is too small', { parameters: 500e6, context: 'small' }, [], false],
];
for (const [name, taken, flags, isCalibrated] of rows) {
  test(`${name} is ${isCalibrated ? '' : 'not '}calibrated`, async () => {
    const asked: CalibrationRequest[] = [];
    const argv = ['models', 'add', 'mine.gguf', '--id', 'mine', ...flags];
    const run = await cli(argv, { app: adding(taken, asked) });
    assert.match(run.stdout, /^mine: [\d.]+ M parameters, .*; written into .*registry\.yaml\n/);
    assert.match(run.stdout, /Calibrate: {3}cost-aware-router calibrate mine\n/);
    assert.deepEqual(
      asked.map(({ model, limit, target }) => [model.id, limit, target]),
      isCalibrated ? [['mine', 90, { kind: 'escalated', value: 0.5 }]] : [],
    );
    if (!isCalibrated) return assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /Calibrating with 90 questions\. Ctrl-C stops it/);
    assert.match(run.stderr, /12 of 90 answers are kept; the same command goes on/);
  });
}
