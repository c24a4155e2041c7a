/** Who may ask: Host and Origin against rebinding and foreign pages, and the token, which is made once and kept private. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ensureToken } from '../../server/src/http/apiToken.ts';
import { ORIGIN, problemOf, scriptedApi } from './httpApi.ts';

test('only a Host of the literal list, and no foreign Origin', async (t) => {
  const { api } = scriptedApi(
    {},
    {
      allowedHosts: ['127.0.0.1', 'localhost', '[::1]', 'router.lan'],
      limits: { strangerRate: { perSecond: 1, burst: 1000 } },
    },
  );
  type Row = readonly [host: string, origin: string | undefined, code: string | undefined];
  const rows: readonly Row[] = [
    ['127.0.0.1:5000', undefined, undefined],
    ['127.0.0.1', undefined, undefined],
    ['localhost:5000', undefined, undefined],
    ['LocalHost:5000', undefined, undefined],
    ['[::1]:5000', undefined, undefined],
    ['[::1]', undefined, undefined],
    ['router.lan:8080', undefined, undefined],
    ['', undefined, 'forbidden_host'],
    [':5000', undefined, 'forbidden_host'],
    ['attacker.example', undefined, 'forbidden_host'],
    ['attacker.example:5000', undefined, 'forbidden_host'],
    ['localhost.attacker.example:5000', undefined, 'forbidden_host'],
    ['127.0.0.1.attacker.example', undefined, 'forbidden_host'],
    ['localhost@attacker.example', undefined, 'forbidden_host'],
    ['attacker.example/localhost', undefined, 'forbidden_host'],
    ['localhost.', undefined, 'forbidden_host'],
    ['localhost:5000:80', undefined, 'forbidden_host'],
    ['localhost:port', undefined, 'forbidden_host'],
    ['0.0.0.0:5000', undefined, 'forbidden_host'],
    ['127.1', undefined, 'forbidden_host'],
    ['2130706433', undefined, 'forbidden_host'],
    ['[::ffff:127.0.0.1]', undefined, 'forbidden_host'],
    ['::1', undefined, 'forbidden_host'],
    ['localhost, attacker.example', undefined, 'forbidden_host'],
    ['localhost:5000', 'http://localhost:5000', undefined],
    ['localhost:5000', 'https://localhost:5000', undefined],
    ['[::1]:5000', 'http://[::1]:5000', undefined],
    ['localhost:5000', 'http://localhost:3000', 'forbidden_origin'],
    ['localhost:5000', 'http://localhost', 'forbidden_origin'],
    ['localhost:5000', 'http://127.0.0.1:5000', 'forbidden_origin'],
    ['localhost:5000', 'null', 'forbidden_origin'],
    ['localhost:5000', '', 'forbidden_origin'],
    ['localhost:5000', 'https://attacker.example', 'forbidden_origin'],
    ['localhost:5000', 'http://localhost:5000.attacker.example', 'forbidden_origin'],
    ['localhost:5000', 'vscode-webview://x', 'forbidden_origin'],
    ['localhost:5000', 'file://', 'forbidden_origin'],
    ['localhost:5000', 'chrome-extension://abcdefgh', 'forbidden_origin'],
    ['localhost:5000', 'http://localhost:5000/', 'forbidden_origin'],
    ['localhost:5000', 'http://me@localhost:5000', 'forbidden_origin'],
    ['localhost:5000', 'http://localhost:5000, https://attacker.example', 'forbidden_origin'],
    ['localhost:5000', 'ws://localhost:5000', 'forbidden_origin'],
    // Rebinding: the page's own name leads here, so its Host and its Origin agree.
    ['attacker.example:5000', 'http://attacker.example:5000', 'forbidden_host'],
    ['7f000001.rebind.example:5000', 'http://7f000001.rebind.example:5000', 'forbidden_host'],
    ['localhost.rebind.example', 'http://localhost.rebind.example', 'forbidden_host'],
    ['', 'http://localhost:5000', 'forbidden_host'],
    ['router.lan:8080', 'https://router.lan:8080', undefined],
    ['router.lan.attacker.example', undefined, 'forbidden_host'],
    ['xrouter.lan', undefined, 'forbidden_host'],
    ['router.lan%00.attacker.example', undefined, 'forbidden_host'],
    ['localhost:', undefined, 'forbidden_host'],
    ['localhost:123456', undefined, 'forbidden_host'],
    ['127.0.0.1#localhost', undefined, 'forbidden_host'],
    ['0x7f.0.0.1', undefined, 'forbidden_host'],
    ['0177.0.0.1', undefined, 'forbidden_host'],
    ['[::]:5000', undefined, 'forbidden_host'],
  ];
  for (const [host, origin, code] of rows) {
    await t.test(`Host ${host || '(empty)'}, Origin ${origin ?? '(none)'}`, async () => {
      const headers = { host, ...(origin === undefined ? {} : { origin }) };
      const request = new Request('http://127.0.0.1:5000/health', { headers });
      assert.equal(request.headers.get('host'), host, 'the row reaches the server as it is');
      const reply = await api.fetch(request);
      const refused = reply.status === 200 ? undefined : await problemOf(reply);
      assert.deepEqual([reply.status, refused?.code], [code === undefined ? 200 : 403, code]);
      assert.equal(reply.headers.get('access-control-allow-origin'), null);
    });
  }
});

test('an address that names a foreign host is refused, whatever the header says', async () => {
  const { api } = scriptedApi();
  const request = new Request('http://attacker.example/health', { headers: { host: 'localhost' } });
  assert.equal((await api.fetch(request)).status, 403);
});

test('everything but /health asks for the token', async (t) => {
  const token = 'T'.repeat(43);
  const { api, get, calls } = scriptedApi({}, { token });
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
  const rows: readonly (readonly [
    path: string,
    authorization: string | undefined,
    status: number,
  ])[] = [
    ['/health', undefined, 200],
    ['/spend', undefined, 401],
    ['/models', '', 401],
    ['/docs', undefined, 401],
    ['/openapi.json', undefined, 401],
    ['/no-such-path', undefined, 401],
    ['/spend', `Bearer ${token}`, 200],
    ['/spend', `bearer  ${token}`, 200],
    ['/spend', `Bearer ${token}x`, 401],
    ['/spend', `Bearer ${token.slice(1)}`, 401],
    ['/spend', `Bearer ${token.toLowerCase()}`, 401],
    ['/spend', 'Bearer', 401],
    ['/spend', token, 401],
    ['/spend', `Bearer ${token} ${token}`, 401],
    ['/spend', basic(`me:${token}`), 401],
    ['/docs', basic(`me:${token}`), 200],
    ['/docs', basic(`:${token}`), 200],
    ['/docs', basic('me:wrong'), 401],
    ['/openapi.json', `Bearer ${token}`, 200],
  ];
  for (const [path, authorization, status] of rows) {
    await t.test(`${path} with ${authorization ?? 'nothing'}`, async () => {
      const reply = await get(path, authorization === undefined ? {} : { authorization });
      assert.equal(reply.status, status);
      const text = await reply.text();
      assert.ok(!text.includes(token), 'the token is never told');
      if (status === 401) {
        assert.equal(JSON.parse(text).error.code, 'unauthorized');
        const challenge = ['/docs', '/openapi.json'].includes(path) ? /^Basic / : /^Bearer$/;
        assert.match(reply.headers.get('www-authenticate') ?? '', challenge);
      }
    });
  }
  const body = JSON.stringify({ prompt: 'a' });
  const strange = new Request(`${ORIGIN}/generate`, { method: 'POST', body });
  assert.equal((await api.fetch(strange)).status, 401);
  assert.equal(strange.bodyUsed, false, 'the body of a stranger is not read');
  assert.equal(calls.length, 0);
});

test('the token is made once, for its owner alone, also by servers that start together', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'router-token-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const dataDir = join(dir, 'not', 'yet', 'there');

  const together = await Promise.all(Array.from({ length: 8 }, () => ensureToken(dataDir)));
  assert.equal(new Set(together.map(({ token }) => token)).size, 1);
  assert.equal(together.filter(({ created }) => created).length, 1);
  const [first] = together;
  assert.ok(first);
  assert.match(first.token, /^[\w-]{43}$/);
  assert.equal(Buffer.from(first.token, 'base64url').length, 32);
  assert.equal((await stat(first.path)).mode & 0o777, 0o600);
  assert.equal((await readFile(first.path, 'utf8')).trim(), first.token);

  await chmod(first.path, 0o644);
  const again = await ensureToken(dataDir);
  assert.deepEqual(again, { token: first.token, path: first.path, created: false });
  assert.equal((await stat(first.path)).mode & 0o777, 0o600, 'an open file is closed again');

  for (const bad of ['', 'short', `${first.token}x`, `${first.token} ${first.token}`]) {
    await writeFile(first.path, bad);
    await assert.rejects(
      ensureToken(dataDir),
      /expected a token of 43 characters .*delete the file/,
    );
  }
  const other = await ensureToken(join(dir, 'other'));
  assert.notEqual(other.token, first.token);
});
