/** What the model host must not be able to do, tried from inside its walls, and what the running host looks like from outside. */
import assert from 'node:assert/strict';
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { constants, getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostLaunch } from '../../server/src/models/hostWalls.ts';
import { createLocalModels } from '../../server/src/models/local.ts';
import { ensureSmolLm2, repositoryRoot, smolLm2, testModelsDir } from '../support/localModel.ts';
import type { Probe, Tried } from './hostWallsProbe.ts';

/** Asked here anew, so that a host which forgets to ask is found out. */
const mayHaveOwnNetwork =
  process.platform === 'linux' &&
  spawnSync('unshare', ['--map-current-user', '--net', 'true']).status === 0;

const quiet = new AbortController().signal;

test('from inside its walls the host reaches no network and writes nowhere but in its own folder', async (t) => {
  const asked: string[] = [];
  const server = createServer((request, reply) => {
    asked.push(request.url ?? '');
    reply.end();
  });
  server.on('connection', () => asked.push('connection'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const folder = mkdtempSync(join(tmpdir(), 'walls-'));
  const elsewhere = mkdtempSync(join(tmpdir(), 'walls-'));
  t.after(() => {
    server.close();
    for (const each of [folder, elsewhere]) rmSync(each, { recursive: true, force: true });
  });
  const { execPath, execArgv } = hostLaunch(folder);
  const child = fork(new URL('./hostWallsProbe.ts', import.meta.url), {
    execPath,
    execArgv: [...execArgv],
    env: { PATH: process.env['PATH'] },
  });
  const probe: Probe = {
    port: (server.address() as AddressInfo).port,
    forbiddenFile: join(elsewhere, 'file'),
    allowedFile: join(folder, 'file'),
  };
  child.send(probe);
  const [tried] = (await once(child, 'message')) as [Tried];
  const { native, ...own } = tried;
  const refused = 'expected the model host to need no network, got a call for it';
  for (const name of ['fetch', 'connect', 'listen', 'udp']) assert.equal(own[name], refused, name);
  assert.match(own['undo'] ?? '', /read only/);
  assert.match(own['write elsewhere'] ?? '', /Access to this API has been restricted/);
  assert.equal(own['write in its folder'], 'done');
  assert.equal(existsSync(probe.forbiddenFile), false);
  if (mayHaveOwnNetwork) {
    assert.equal(native, 'exit 7', 'native code has no network either');
    assert.deepEqual(asked, []);
  } else {
    t.diagnostic(
      'this system lets no user have a network of its own: native code was not held back',
    );
  }
});

test('the running host has lower priority, no ledger open, no key, and a network of its own', async (t) => {
  await ensureSmolLm2();
  const models = createLocalModels({
    modelsDir: testModelsDir,
    baseDir: repositoryRoot,
    threads: 1,
    gpu: false,
  });
  t.after(() => models.dispose());
  const request = {
    system: '',
    turns: [{ role: 'user', text: 'Hello' }],
    maxOutputTokens: 4,
  } as const;
  for await (const event of models.generate(smolLm2, request, quiet)) {
    assert.notEqual(event.type, 'failed', JSON.stringify(event));
  }
  const pid = models.hostPid();
  assert.ok(pid !== undefined);
  assert.equal(getPriority(pid), constants.priority.PRIORITY_BELOW_NORMAL);
  if (process.platform !== 'linux') return;
  const open = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return '';
    }
  });
  assert.ok(open.length > 3);
  assert.deepEqual(
    open.filter((path) => /\.sqlite|ledger|api-token/.test(path)),
    [],
  );
  assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, 'utf8'), /KEY|TOKEN|PROXY/i);
  const network = (of: string) => readlinkSync(`/proc/${of}/ns/net`);
  if (mayHaveOwnNetwork) assert.notEqual(network(`${pid}`), network('self'));
});

test('one prompt more than the line holds is refused, and a later one is answered', async (t) => {
  await ensureSmolLm2();
  const models = createLocalModels({
    modelsDir: testModelsDir,
    baseDir: repositoryRoot,
    threads: 1,
    gpu: false,
    line: 2,
  });
  t.after(() => models.dispose());
  const ask = async () => {
    const request = {
      system: '',
      turns: [{ role: 'user', text: 'Hi' }],
      maxOutputTokens: 4,
    } as const;
    let last = '';
    for await (const event of models.generate(smolLm2, request, quiet)) {
      last = event.type === 'failed' ? event.failure.code : event.type;
    }
    return last;
  };
  const told = await Promise.all([ask(), ask(), ask(), ask()]);
  assert.deepEqual(told.toSorted(), ['end', 'end', 'too_busy', 'too_busy']);
  assert.equal(await ask(), 'end');
});
