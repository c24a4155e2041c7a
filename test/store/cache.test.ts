import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import type { CachedAnswer } from '../../server/src/core/ports.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import { type CacheOptions, type OpenedCache, openCache } from '../../server/src/store/cache.ts';
import { clockAt, NOVEMBER, tempFolder, USAGE } from './ledgerFixture.ts';

function cached(text: string, storedAt = NOVEMBER): CachedAnswer {
  return {
    modelId: 'small',
    text,
    usage: USAGE,
    baselineUsage: USAGE,
    costNanoUsd: nanoUsd(12),
    storedAtMs: Date.parse(storedAt),
  };
}

function tempCache(
  t: TestContext,
  options: Partial<CacheOptions> = {},
): { readonly cache: OpenedCache; readonly path: string } {
  const path = options.path ?? join(tempFolder(t), 'cache.sqlite');
  const cache = openCache({ clock: clockAt(NOVEMBER), ...options, path });
  t.after(() => cache.close());
  return { cache, path };
}

test('an answer comes back whole, also after reopening, and the newest one counts', (t) => {
  const { cache, path } = tempCache(t);
  assert.equal(cache.get('key'), undefined);
  cache.put('key', cached('first'));
  cache.put('key', cached('second'));
  assert.deepEqual(cache.get('key'), cached('second'));
  assert.equal(cache.get('another'), undefined);
  assert.equal(cache.stats().entries, 1);
  cache.close();
  assert.equal(cache.get('key'), undefined);
  const { cache: again } = tempCache(t, { path });
  assert.deepEqual(again.get('key'), cached('second'));
});

test('the least recently used answers make room', (t) => {
  const one = JSON.stringify(cached('0'.repeat(1000))).length + 1;
  const { cache } = tempCache(t, { maxBytes: 3 * one });
  const put = (key: string) => cache.put(key, cached(key.repeat(1000)));
  for (const key of ['a', 'b', 'c']) put(key);
  assert.deepEqual(cache.stats(), { entries: 3, bytes: 3 * one });
  cache.get('a');
  put('d');
  const kept = ['a', 'b', 'c', 'd'].filter((key) => cache.get(key) !== undefined);
  assert.deepEqual(kept, ['a', 'c', 'd']);
  cache.put('too big', cached('x'.repeat(4 * one)));
  assert.equal(cache.get('too big'), undefined);
  assert.equal(cache.stats().entries, 3);
});

test('an answer is served until it is too old, then dropped', (t) => {
  const clock = clockAt(NOVEMBER);
  const { cache } = tempCache(t, { clock, maxAgeMs: 24 * 3_600_000 });
  cache.put('old', cached('old'));
  clock.set('2026-11-24T06:59:59Z');
  assert.equal(cache.get('old')?.text, 'old');
  clock.set('2026-11-24T07:00:00Z');
  assert.equal(cache.get('old'), undefined);
  cache.put('new', cached('new', '2026-11-24T07:00:00Z'));
  assert.equal(cache.stats().entries, 1);
});

test('clearing says what was there and gives the room back', (t) => {
  const { cache, path } = tempCache(t);
  for (let n = 0; n < 200; n += 1) cache.put(`key ${n}`, cached('x'.repeat(5000)));
  const before = cache.stats();
  assert.equal(before.entries, 200);
  assert.deepEqual(cache.clear(), before);
  assert.deepEqual(cache.stats(), { entries: 0, bytes: 0 });
  cache.close();
  assert.ok(readFileSync(path).length < 100_000);
});

test('a damaged or outdated file is begun anew', (t) => {
  const rows: readonly [what: string, damage: (path: string) => void][] = [
    ['not a database', (path) => writeFileSync(path, 'this is no database, '.repeat(500))],
    ['another version', (path) => change(path, 'PRAGMA user_version = 99')],
    ['lost tables', (path) => change(path, 'DROP TABLE answers')],
    ['an unreadable answer', (path) => change(path, `UPDATE answers SET answer = '{ torn'`)],
  ];
  for (const [what, damage] of rows) {
    const { cache: first, path } = tempCache(t);
    first.put('key', cached('text'));
    first.close();
    damage(path);
    const { cache } = tempCache(t, { path });
    assert.equal(cache.get('key'), undefined, what);
    cache.put('key', cached('again'));
    assert.equal(cache.get('key')?.text, 'again', what);
  }
});

function change(path: string, sql: string): void {
  const db = new DatabaseSync(path);
  db.exec(sql);
  db.close();
}

test('a locked file still answers, skips what it can not write, and recovers', (t) => {
  const { cache, path } = tempCache(t);
  cache.put('key', cached('text'));
  const other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  assert.equal(cache.get('key')?.text, 'text');
  cache.put('other', cached('other'));
  assert.equal(cache.clear(), undefined, 'what is still there was not forgotten');
  other.exec('ROLLBACK');
  other.close();
  assert.equal(cache.get('other'), undefined);
  cache.put('other', cached('other'));
  assert.equal(cache.stats().entries, 2);
});

test('a folder that can not be made leaves a cache that always misses', (t) => {
  const file = join(tempFolder(t), 'file');
  writeFileSync(file, '');
  const { cache, path } = tempCache(t, { path: join(file, 'cache.sqlite') });
  cache.put('key', cached('text'));
  assert.equal(cache.get('key'), undefined);
  assert.deepEqual(cache.stats(), { entries: 0, bytes: 0 });
  assert.equal(existsSync(path), false);
});

test('answers that are written together can be read before, and are there after closing', (t) => {
  const { cache, path } = tempCache(t, { writeAfterMs: 60_000 });
  for (const key of ['a', 'b']) cache.put(key, cached(key));
  const { cache: other } = tempCache(t, { path });
  assert.equal(other.get('a'), undefined);
  assert.equal(cache.get('a')?.text, 'a');
  cache.close();
  assert.equal(cache.get('a'), undefined);
  assert.deepEqual(
    ['a', 'b'].map((key) => other.get(key)?.text),
    ['a', 'b'],
  );
});

test('two processes share one cache', (t) => {
  const { cache, path } = tempCache(t);
  const { cache: other } = tempCache(t, { path });
  cache.put('key', cached('text'));
  assert.equal(other.get('key')?.text, 'text');
  other.clear();
  assert.equal(cache.get('key'), undefined);
});
