/** Runs where the model host would and tries what it must not be able to do; sends what came of it to its parent. */
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { closeNetwork } from '../../server/src/models/hostWalls.ts';

export interface Probe {
  readonly port: number;
  readonly forbiddenFile: string;
  readonly allowedFile: string;
}

export type Tried = Readonly<Record<string, string>>;

process.once('message', async ({ port, forbiddenFile, allowedFile }: Probe) => {
  const url = `http://127.0.0.1:${port}/`;
  // A program of its own stands for native code, which nothing in this process's JavaScript holds back.
  const { status } = spawnSync(process.execPath, [
    '-e',
    `require('net').connect(${port}, '127.0.0.1').on('connect', () => process.exit(0)).on('error', () => process.exit(7))`,
  ]);
  const tried: Record<string, string> = { native: status === 0 ? 'done' : `exit ${status}` };
  closeNetwork();
  const attempt = async (name: string, work: () => unknown) => {
    try {
      await work();
      tried[name] = 'done';
    } catch (error) {
      const { message, cause } = error as Error;
      tried[name] = cause instanceof Error ? cause.message : message;
    }
  };
  await attempt('fetch', () => fetch(url));
  await attempt('connect', () => connect(port, '127.0.0.1'));
  await attempt('listen', () => createServer().listen(0));
  await attempt('udp', () => createSocket('udp4').send('x', port, '127.0.0.1'));
  await attempt('undo', () => {
    const prototype = Object.getPrototypeOf(createServer()) as { listen: unknown };
    prototype.listen = () => undefined;
  });
  await attempt('write elsewhere', () => writeFileSync(forbiddenFile, 'x'));
  await attempt('write in its folder', () => writeFileSync(allowedFile, 'x'));
  process.send?.(tried satisfies Tried, () => process.exit(0));
});
