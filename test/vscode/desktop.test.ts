/** Which VS Code the extension-host suite gets, from what is there; and the probe of the update service, which must not hang. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { test } from 'node:test';
import { desktopCommand, type HostPlan, hostPlan, serviceAnswers } from './desktop.ts';

const XVFB = '/usr/bin/xvfb-run';
const downloaded = (xvfbRun?: string): HostPlan => ({
  kind: 'desktop',
  program: 'download',
  xvfbRun,
});
const named = (xvfbRun?: string): HostPlan => ({
  kind: 'desktop',
  program: { path: '/opt/code' },
  xvfbRun,
});
const server = (why: string): HostPlan => ({ kind: 'server', why });
const NO_DISPLAY = 'there is no display and no xvfb-run';
const NO_DOWNLOAD = 'VS Code can not be downloaded here';

const rows: readonly (readonly [
  what: string,
  platform: NodeJS.Platform,
  env: Readonly<Record<string, string>>,
  xvfbRun: string | undefined,
  answers: boolean,
  plan: HostPlan,
])[] = [
  ['a named program', 'darwin', { VSCODE_PATH: '/opt/code' }, undefined, false, named()],
  ['a named one, no display', 'linux', { VSCODE_PATH: '/opt/code' }, XVFB, false, named(XVFB)],
  ['a named one, nothing else', 'linux', { VSCODE_PATH: '/opt/code' }, undefined, false, named()],
  ['an empty name is none', 'win32', { VSCODE_PATH: '' }, undefined, false, server(NO_DOWNLOAD)],
  ['macOS online', 'darwin', {}, undefined, true, downloaded()],
  ['Windows offline', 'win32', {}, undefined, false, server(NO_DOWNLOAD)],
  ['Linux with a display', 'linux', { DISPLAY: ':0' }, XVFB, true, downloaded()],
  ['Linux on Wayland', 'linux', { WAYLAND_DISPLAY: 'wayland-0' }, undefined, true, downloaded()],
  ['Linux with xvfb-run', 'linux', {}, XVFB, true, downloaded(XVFB)],
  ['Linux without either', 'linux', {}, undefined, true, server(NO_DISPLAY)],
  ['Linux with xvfb-run, offline', 'linux', {}, XVFB, false, server(NO_DOWNLOAD)],
];

for (const [what, platform, env, xvfbRun, answers, plan] of rows) {
  test(`${what}: ${plan.kind}`, () => {
    assert.deepEqual(hostPlan({ platform, env, xvfbRun, serviceAnswers: answers }), plan);
  });
}

test('without a display the program is started by xvfb-run', () => {
  assert.deepEqual(desktopCommand('/opt/code', undefined), { executable: '/opt/code', before: [] });
  assert.deepEqual(desktopCommand('/opt/code', XVFB), {
    executable: XVFB,
    before: ['--auto-servernum', '/opt/code'],
  });
});

test('the update service is there only when it answers well and in time', async () => {
  const methods: string[] = [];
  const answering = (status: number): RequestListener => {
    return ({ method = '' }, response) => {
      methods.push(method);
      response.writeHead(status).end();
    };
  };
  assert.equal(await probe(answering(200)), true);
  assert.equal(await probe(answering(405)), true);
  assert.equal(await probe(answering(403)), false);
  assert.equal(await probe(() => {}, 500), false);
  assert.equal(await serviceAnswers('http://127.0.0.1:1/', 1000), false);
  assert.deepEqual(methods, ['HEAD', 'HEAD', 'HEAD']);
});

async function probe(listener: RequestListener, withinMs = 60_000): Promise<boolean> {
  const service = createServer(listener).listen(0, '127.0.0.1');
  await once(service, 'listening');
  const address = service.address();
  if (address === null || typeof address === 'string') throw new Error('expected a port');
  try {
    return await serviceAnswers(`http://127.0.0.1:${address.port}/`, withinMs);
  } finally {
    service.closeAllConnections();
    service.close();
  }
}
