/** What the programs hold of the machine's memory when they have nothing to do. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureSmolLm2 } from '../../support/localModel.ts';
import { residentMb, startServer } from '../languageServer.ts';
import { load } from '../requests/load.ts';
import { startOurs, startProvider } from '../requests/proxies.ts';
import { section } from '../rows.ts';

export const memory = section<'server' | 'serve' | 'flat' | 'host'>({
  name: 'memory',
  title: 'Memory, resident',
  limitS: 130,
  rows: {
    server: { name: 'memory: language server without a model', unit: 'MB', goal: { most: 120 } },
    serve: { name: 'memory: `serve` without a model', unit: 'MB', goal: { most: 120 } },
    flat: { name: 'memory: `serve` after more requests', unit: 'times', goal: { most: 1.1 } },
    host: { name: 'memory: model host beside its file', unit: 'times', goal: undefined },
  },
  async run({ quick }, tell) {
    const path = await ensureSmolLm2();
    const dataDir = mkdtempSync(join(tmpdir(), 'bench-memory-'));
    const server = await startServer(dataDir, { threads: 1 });
    try {
      await delay(3_000);
      const idle = residentMb(server.pid);
      tell('server', { value: idle, against: null, note: 'ledger open, nothing asked yet' });
      await server.ask('Which colour is the sky? One word.');
      const host = residentMb(server.hostPid());
      const file = statSync(path).size / 2 ** 20;
      tell('host', {
        value: host / file,
        against: `the model's file: ${file.toFixed(0)} MB`,
        note: `${host.toFixed(0)} MB after one answer; the file is mapped, so it is part of that. The server then holds ${residentMb(server.pid).toFixed(0)} MB`,
      });
    } finally {
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    }
    const provider = await startProvider();
    const ours = await startOurs(provider);
    await delay(2_000);
    tell('serve', {
      value: residentMb(ours.program.pid),
      against: null,
      note: 'nothing asked yet',
    });
    // By their number, not by seconds: what is held until the first collections grows with requests.
    const requests = quick ? 400 : 1_600;
    const work = () => load(ours, { connections: 8, requests, stream: true });
    await work();
    const before = residentMb(ours.program.pid);
    await work();
    const after = residentMb(ours.program.pid);
    tell('flat', {
      value: after / before,
      against: `after the first ${requests} requests at 8 connections: ${before.toFixed(0)} MB`,
      note: `${after.toFixed(0)} MB after as many more`,
    });
  },
});
