/** Stored explanations and the opt-in history, in real files: kept, found, bounded, cleared from the disk, and sound after damage. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { openCache } from '../../server/src/store/cache.ts';
import { openExplanations } from '../../server/src/store/explanations.ts';
import { openHistory } from '../../server/src/store/history.ts';
import { clockAt, NOVEMBER, openAt, tempFolder } from './ledgerFixture.ts';

const clock = clockAt(NOVEMBER);

function explanations(t: TestContext, path: string, maxEntries?: number) {
  const opened = openExplanations({ path, clock, maxEntries });
  t.after(() => opened.close());
  return opened;
}

function history(t: TestContext, path: string, maxEntries?: number) {
  const opened = openHistory({ path, clock, maxEntries });
  t.after(() => opened.close());
  return opened;
}

function explanation(codeHash: string, uri = 'file:///a.ts', startLine = 1) {
  const range = { startLine, startCharacter: 0, endLine: startLine + 3, endCharacter: 1 };
  const task = 'explain';
  return {
    codeHash,
    task,
    uri,
    range,
    promptId: `p-${codeHash}`,
    text: 'It **adds**.',
    line: 'free',
  };
}

function entry(promptId: string, question: string, workspaceId = 'w') {
  return { workspaceId, promptId, question, answer: `answer to ${question}`, line: 'free' };
}

test('explanations are kept by code and file, replaced, dropped, and seen by another window', async (t) => {
  const path = join(tempFolder(t), 'explanations.sqlite');
  const mine = explanations(t, path);
  const theirs = explanations(t, path);
  assert.deepEqual(theirs.inFile('file:///a.ts'), []);
  assert.equal(existsSync(path), false, 'nothing is written before something is kept');
  await mine.keep(explanation('late', 'file:///a.ts', 20));
  await mine.keep(explanation('early'));
  await mine.keep(explanation('early', 'file:///b.ts'));
  await mine.keep({ ...explanation('early'), text: 'better' });
  const hashes = () => theirs.inFile('file:///a.ts').map(({ codeHash }) => codeHash);
  assert.deepEqual(hashes(), ['early', 'late']);
  assert.deepEqual(theirs.inFile('file:///a.ts')[0], {
    ...explanation('early'),
    text: 'better',
    atMs: clock.now(),
  });
  assert.equal(theirs.ofCode('early').length, 2);
  await theirs.drop('early', 'explain', 'file:///a.ts');
  assert.deepEqual(hashes(), ['late']);
  assert.equal(mine.ofCode('early').length, 1);
  await mine.drop('early', 'explain');
  assert.equal(mine.ofCode('early').length, 0);
});

test('prompts, answers and money are for their owner alone, in a folder that others may read too', {
  skip: process.platform === 'win32' && 'rights of files are those of the folder on Windows',
}, async (t) => {
  const folder = tempFolder(t);
  chmodSync(folder, 0o755);
  await history(t, join(folder, 'history.sqlite')).add(entry('p', 'mine'));
  await explanations(t, join(folder, 'explanations.sqlite')).keep(explanation('mine'));
  const cache = openCache({ path: join(folder, 'cache.sqlite'), clock });
  t.after(() => cache.close());
  const ledger = await openAt(join(folder, 'ledger.sqlite'));
  t.after(() => ledger.close());
  const files = readdirSync(folder).filter((name) => name.includes('.sqlite'));
  for (const one of ['history', 'explanations', 'cache', 'ledger'])
    assert.ok(files.includes(`${one}.sqlite`), `expected ${one}.sqlite among ${files}`);
  for (const name of files)
    assert.equal(statSync(join(folder, name)).mode & 0o077, 0, `others may read ${name}`);
});

test('each task keeps a text of its own about the same code', async (t) => {
  const mine = explanations(t, join(tempFolder(t), 'explanations.sqlite'));
  await mine.keep(explanation('sum'));
  await mine.keep({ ...explanation('sum'), task: 'find_problems', text: 'It overflows.' });
  const kept = () => mine.inFile('file:///a.ts').map(({ task, text }) => [task, text]);
  assert.deepEqual(kept().toSorted(), [
    ['explain', 'It **adds**.'],
    ['find_problems', 'It overflows.'],
  ]);
  await mine.drop('sum', 'explain');
  assert.deepEqual(kept(), [['find_problems', 'It overflows.']]);
});

test('what an earlier version kept is taken over as explanations; a later version is left alone', async (t) => {
  const path = join(tempFolder(t), 'explanations.sqlite');
  const before = new DatabaseSync(path);
  before.exec(
    readFileSync(join(import.meta.dirname, '../fixtures/explanationsVersion1.sql'), 'utf8'),
  );
  before.close();
  const mine = explanations(t, path);
  assert.deepEqual(
    mine.inFile('file:///a.ts').map(({ codeHash, task, text }) => [codeHash, task, text]),
    [['early', 'explain', 'It adds.']],
  );
  assert.equal(mine.ofCode('late')[0]?.range.startLine, 20);
  assert.equal(await mine.keep({ ...explanation('early'), task: 'document' }), true);
  assert.equal(mine.inFile('file:///a.ts').length, 2);
  mine.close();

  const later = new DatabaseSync(path);
  later.exec('PRAGMA user_version = 99');
  later.close();
  const late = explanations(t, path);
  assert.deepEqual(late.inFile('file:///a.ts'), []);
  assert.equal(await late.keep(explanation('new')), false);
});

test('the oldest explanation makes room', async (t) => {
  const mine = explanations(t, join(tempFolder(t), 'explanations.sqlite'), 2);
  for (const hash of ['one', 'two', 'three']) await mine.keep(explanation(hash));
  const left = mine.inFile('file:///a.ts').map(({ codeHash }) => codeHash);
  assert.deepEqual(left.toSorted(), ['three', 'two']);
});

test('history is by workspace, newest first, bounded and searchable', async (t) => {
  const mine = history(t, join(tempFolder(t), 'history.sqlite'), 2);
  for (const n of [1, 2, 3]) await mine.add(entry(`p${n}`, `Question ${n}`));
  await mine.add(entry('q', 'Elsewhere', 'other'));
  assert.deepEqual(
    mine.recent('w').map(({ promptId }) => promptId),
    ['p3', 'p2'],
  );
  assert.equal(mine.recent('w', 1)[0]?.answer, 'answer to Question 3');
  assert.deepEqual(mine.find('question'), ['p3', 'p2']);
  assert.deepEqual(mine.find('ELSEWHERE'), ['q']);
  assert.deepEqual([...mine.questions(['p3', 'p1', 'q'])].toSorted(), [
    ['p3', 'Question 3'],
    ['q', 'Elsewhere'],
  ]);
  await mine.clear('w');
  assert.deepEqual([mine.recent('w').length, mine.recent('other').length], [0, 1]);
  await mine.clear();
  assert.equal(mine.recent('other').length, 0);
});

test('cleared history is gone from the disk', async (t) => {
  const folder = tempFolder(t);
  const mine = history(t, join(folder, 'history.sqlite'));
  const onDisk = () =>
    readdirSync(folder).some((name) => readFileSync(join(folder, name)).includes('xylophone'));
  for (let n = 0; n < 20; n += 1) await mine.add(entry(`p${n}`, `the xylophone ${n}`));
  assert.equal(onDisk(), true);
  assert.equal(await mine.clear('w'), true);
  assert.equal(onDisk(), false);
});

test('a damaged file is set aside and begun anew; one that can not be written says so', async (t) => {
  const folder = tempFolder(t);
  const path = join(folder, 'history.sqlite');
  writeFileSync(path, 'this is no database, but long enough to be taken for one'.repeat(40));
  const mine = history(t, path);
  assert.deepEqual(mine.recent('w'), []);
  assert.equal(await mine.add(entry('p', 'again')), true);
  assert.equal(mine.recent('w').length, 1);
  assert.equal(readdirSync(folder).filter((name) => name.includes('.damaged-')).length, 1);

  const blocked = history(t, join(path, 'below-a-file', 'history.sqlite'));
  assert.equal(await blocked.add(entry('p', 'nowhere')), false);
  assert.deepEqual(blocked.recent('w'), []);
});
