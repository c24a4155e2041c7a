/** `train --config` as a person calls it. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { cli, jsonOf } from '../edges/cliHarness.ts';
import { writeSmallRun } from './smallRun.ts';

const configs = resolve(import.meta.dirname, '../../configs');
let cwd: string;
before(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'train-'));
  await writeSmallRun(cwd);
});
after(() => rm(cwd, { recursive: true }));

test('a run says what it will take, how it goes and where it is saved; stopped, it goes on', async () => {
  const controller = new AbortController();
  const first = await cli(['train', '--config', 'small.json', '--threads', '1'], {
    cwd,
    signal: controller.signal,
    onStdout: (text) => {
      if (text.startsWith('step 4')) controller.abort();
    },
  });
  assert.equal(first.code, 130, first.stderr);
  assert.match(
    first.stdout,
    /^\d+ parameters, 512 tokens: about \d+ MiB of memory and 1 s on 1 thread\n/,
  );
  assert.match(first.stdout, /begins; 17 sequences an epoch/);
  assert.match(
    first.stdout,
    /step 1\/8 {2}loss 4\.\d{4} {2}lr 5\.00e-3 {2}norm .* tokens\/s {2}\d+ s left/,
  );
  assert.match(first.stdout, /step 4 {2}validation loss \d\.\d{4}, perplexity \d+\.\d\d/);
  assert.match(first.stdout, /saved checkpoints\/step-00000[45]\n/);
  assert.match(first.stdout, /stopped after step [45]; go on with --resume/);

  const second = await cli(['train', '--config', 'small.json', '--resume', '--json'], { cwd });
  assert.equal(second.code, 0, second.stderr);
  const result = jsonOf(second);
  assert.equal(result['step'], 8);
  assert.equal(result['stopped'], false);
  assert.ok(Number(result['val_loss']) > 0);
});

test('what is too large for this machine is refused with the command that does it', async () => {
  const file = join(configs, '125m.json');
  const { code, stdout, stderr } = await cli(['train', '--config', file], { cwd });
  assert.equal(code, 2);
  assert.match(stdout, /134\.1 M parameters, 10485760000 tokens: about \d+ MiB of memory/);
  assert.match(
    stderr,
    /should not begin: it (needs|would take) .*--config .*125m\.json --engine torch/,
  );
});

test('no configuration, and one that is none, are bad input', async () => {
  const none = await cli(['train'], { cwd });
  assert.equal(none.code, 2);
  assert.match(none.stderr, /expected --config with a file such as configs\/tiny\.json, got none/);
  const missing = await cli(['train', '--config', 'nowhere.json'], { cwd });
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /expected a training configuration in .*nowhere\.json/);
});
