/** The release check fails where it should: on a package, a changelog or a notice with something missing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failed, leftOut, ok, runCheck, tableOf } from '../../scripts/release/check.ts';
import { changelogVerdict } from '../../scripts/release/checks.ts';
import { manifestProblems, picturesOf, type Vsix } from '../../scripts/release/vsix.ts';
import { noticesText, packagesOf, titlesIn } from '../../scripts/thirdPartyNotices.ts';
import { repositoryRoot } from '../support/localModel.ts';

function png(width: number, height: number): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x89504e47);
  view.setUint32(16, width);
  view.setUint32(20, height);
  return bytes;
}

const good: Vsix = {
  manifest: {
    name: 'x',
    displayName: 'X',
    description: 'x',
    publisher: 'x',
    license: 'MIT',
    main: './dist/client.cjs',
    version: '1.2.3',
    categories: ['AI'],
    icon: 'media/icon.png',
  },
  files: new Map([
    ['dist/client.cjs', new Uint8Array()],
    ['dist/ThirdPartyNotices.txt', new Uint8Array()],
    ['media/icon.png', png(256, 256)],
    ['readme.md', new Uint8Array()],
    ['changelog.md', new Uint8Array()],
    ['LICENSE.txt', new Uint8Array()],
  ]),
};

test('a package with all that a marketplace asks for passes', () => {
  assert.deepEqual(manifestProblems(good), []);
});

const broken: readonly { readonly lacks: string; readonly vsix: Vsix; readonly says: RegExp }[] = [
  {
    lacks: 'a publisher',
    vsix: { ...good, manifest: { ...good.manifest, publisher: '' } },
    says: /publisher/,
  },
  {
    lacks: 'a plain version',
    vsix: { ...good, manifest: { ...good.manifest, version: '1.2.3-beta' } },
    says: /1\.2\.3-beta/,
  },
  {
    lacks: 'a known category',
    vsix: { ...good, manifest: { ...good.manifest, categories: ['Money'] } },
    says: /Money/,
  },
  {
    lacks: 'a big icon',
    vsix: { ...good, files: new Map([...good.files, ['media/icon.png', png(64, 64)]]) },
    says: /64 x 64/,
  },
  {
    lacks: 'the program',
    vsix: {
      ...good,
      files: new Map([...good.files].filter(([name]) => name !== 'dist/client.cjs')),
    },
    says: /dist\/client\.cjs/,
  },
  {
    lacks: 'nothing but holds a model',
    vsix: { ...good, files: new Map([...good.files, ['models/x.gguf', new Uint8Array()]]) },
    says: /models\/x\.gguf/,
  },
];

for (const { lacks, vsix, says } of broken) {
  test(`a package that lacks ${lacks} is refused`, () => {
    const problems = manifestProblems(vsix);
    assert.equal(problems.length, 1, problems.join('\n'));
    assert.match(problems[0] ?? '', says);
  });
}

test('pictures of a README are found in Markdown and in HTML', () => {
  const readme =
    '![a](media/a.png)\n<picture><source media="x" srcset="b.png"><img alt="c" src="https://c/c.png"></picture>';
  assert.deepEqual(picturesOf(readme).toSorted(), ['b.png', 'https://c/c.png', 'media/a.png']);
});

test('the version needs an entry of its own, the newest', () => {
  assert.equal(changelogVerdict('# C\n\n## 1.2.3, 2026-11-26\n', '1.2.3').kind, 'ok');
  assert.equal(changelogVerdict('# C\n\n## Unreleased\n', '1.2.3').kind, 'failed');
  assert.equal(changelogVerdict('# C\n\n## 1.2.30\n', '1.2.3').kind, 'failed');
  assert.equal(changelogVerdict('# C\n\n## 1.3.0\n\n## 1.2.3\n', '1.2.3').kind, 'failed');
});

test('what is bundled is read off the files, with its notice, and read back', () => {
  const packages = packagesOf(
    ['server/src/x.ts', 'node_modules/zod/v4/core.js', 'node_modules/@hono/node-server/a/b.js'],
    repositoryRoot,
  );
  assert.deepEqual(
    packages.map(({ name, licence }) => [name, licence]),
    [
      ['@hono/node-server', 'MIT'],
      ['zod', 'MIT'],
    ],
  );
  const notices = noticesText(packages);
  assert.match(notices, /Colin McDonnell/);
  assert.deepEqual(
    titlesIn(notices),
    packages.map(({ name, version, licence }) => ({ name, version, licence })),
  );
});

test('the table tells what failed and what was left out, and why', async () => {
  const told = [
    await runCheck({ name: 'a', run: async () => ok('fine') }),
    await runCheck({ name: 'bb', run: async () => failed('one\ntwo') }),
    await runCheck({ name: 'c', run: async () => leftOut('no Go') }),
    await runCheck({ name: 'd', run: () => Promise.reject(new Error('fell over')) }),
  ];
  const table = tableOf(told);
  assert.match(table, /^a {3}ok .* fine$/m);
  assert.match(table, /^bb {2}failed .* one\n {4}two$/m);
  assert.match(table, /^c {3}left out .* no Go$/m);
  assert.match(table, /^d {3}failed .* fell over$/m);
  assert.match(table, /1 ok, 2 failed, 1 left out\n$/);
});
