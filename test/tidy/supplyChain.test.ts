/** What we ship and from where: licences, pins, hashes, install scripts, the same bytes twice, and workflows that can't be swapped. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { zipSync } from 'fflate';
import { parse } from 'yaml';
import { sameBytes } from '../../scripts/reproducibleZip.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
}

const lock = JSON.parse(read('package-lock.json')) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};
const manifest = JSON.parse(read('package.json')) as {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};
const locked = Object.entries(lock.packages).filter(([path]) => path.startsWith('node_modules/'));

/** Licences that ask for no more than a notice. */
const PERMISSIVE = new Set([
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  '0BSD',
  'Unlicense',
  'CC0-1.0',
]);

function isPermissive(licence: string): boolean {
  const words = licence.replace(/[()]/g, '');
  return words.includes(' AND ')
    ? words.split(' AND ').every((one) => PERMISSIVE.has(one))
    : words.split(' OR ').some((one) => PERMISSIVE.has(one));
}

test('all that is shipped has a licence that asks for no more than a notice', () => {
  const shipped = locked.filter(([, { dev }]) => dev !== true);
  assert.ok(shipped.length > 50, `${shipped.length}`);
  const others = shipped.filter(
    ([, { license }]) => license === undefined || !isPermissive(license),
  );
  assert.deepEqual(
    others.map(([path, { license }]) => `${path}: ${license}`),
    [],
  );
  assert.equal(isPermissive('(MIT OR GPL-3.0)'), true);
  assert.equal(isPermissive('(MIT AND GPL-3.0)'), false);
  assert.equal(isPermissive('AGPL-3.0'), false);
});

test('docs/DEPENDENCIES.md lists every direct dependency with its licence', () => {
  const rows = read('docs/DEPENDENCIES.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  const wrong = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).flatMap(
    (name) => {
      const row = rows.find((line) => line.split('|')[1]?.includes(`\`${name}\``));
      if (row === undefined) return [`${name}: not listed`];
      const licence = lock.packages[`node_modules/${name}`]?.license ?? '';
      const said = row.split('|')[2] ?? '';
      return licence === '' ||
        licence
          .replace(/[()]/g, '')
          .split(/ OR | AND /)
          .some((one) => said.includes(one))
        ? []
        : [`${name}: ${licence} in the lock file,${said}in the list`];
    },
  );
  assert.deepEqual(wrong, []);
});

test('every version is pinned, and every package has a hash and came from a registry', () => {
  const loose = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
    // Types of Node follow the Node that .nvmrc pins; the lock file pins them.
    .filter(
      ([name, version]) =>
        // Also under another name than its own.
        !/^(npm:[@\w./-]+@)?\d+\.\d+\.\d+$/.test(version) &&
        !version.startsWith('file:tools/') &&
        name !== '@types/node',
    );
  assert.deepEqual(loose, []);
  const own = (path: string) => path === 'node_modules/project-node';
  const unhashed = locked.filter(
    ([path, { integrity, link }]) =>
      !own(path) && link !== true && !integrity?.startsWith('sha512-'),
  );
  assert.deepEqual(
    unhashed.map(([path]) => path),
    [],
  );
  const elsewhere = locked.filter(
    ([path, { resolved }]) => !own(path) && /^(git|http:|file:)/.test(resolved ?? ''),
  );
  assert.deepEqual(
    elsewhere.map(([path]) => path),
    [],
  );
});

test('no package runs code when it is installed', () => {
  assert.match(read('.npmrc'), /^ignore-scripts=true$/m);
});

test('an archive has the same bytes, whenever and in whatever order it was packed', () => {
  const files = { 'b.txt': Buffer.from('b'), 'a/a.txt': Buffer.from('a'.repeat(1000)) };
  const one = zipSync(files, { mtime: new Date(2020, 1, 2) });
  const other = zipSync(
    { 'a/a.txt': files['a/a.txt'], 'b.txt': files['b.txt'] },
    { mtime: new Date(2026, 5, 5), level: 1 },
  );
  assert.notDeepEqual(one, other);
  assert.deepEqual(sameBytes(one), sameBytes(other));
  // The time of the first file, as a zip writes the first second of 1980.
  assert.equal(Buffer.from(sameBytes(one)).readUInt32LE(10), 0x00210000);
});

interface Workflow {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<
    Record<
      string,
      {
        readonly permissions?: Readonly<Record<string, string>>;
        readonly steps: readonly { readonly uses?: string; readonly run?: string }[];
      }
    >
  >;
}

const folder = join(root, '.github/workflows');
const workflows = readdirSync(folder).map((name) => ({
  name,
  workflow: parse(readFileSync(join(folder, name), 'utf8')) as Workflow,
}));

test('workflows name actions by their commit, may only read, and put no text of strangers into a shell', () => {
  const wrong = workflows.flatMap(({ name, workflow }) => [
    ...(workflow.permissions?.['contents'] === 'read' &&
    Object.keys(workflow.permissions).length === 1
      ? []
      : [`${name}: permissions`]),
    ...Object.entries(workflow.jobs).flatMap(([job, { steps }]) =>
      steps.flatMap(({ uses, run }) => [
        ...(uses === undefined || /^[\w-]+\/[\w-]+@[0-9a-f]{40}$/.test(uses)
          ? []
          : [`${name} ${job}: ${uses}`]),
        ...(run?.includes('${{') ? [`${name} ${job}: an expression in a shell`] : []),
      ]),
    ),
  ]);
  assert.deepEqual(wrong, []);
});

test('the release signs what it built, lists its parts, and only a job that runs nothing of ours may do so', () => {
  const release = workflows.find(({ name }) => name === 'release.yml')?.workflow;
  assert.ok(release !== undefined);
  const writers = Object.entries(release.jobs).filter(
    ([, { permissions }]) => permissions !== undefined,
  );
  assert.deepEqual(
    writers.map(([job]) => job),
    ['sign-and-publish', 'marketplace', 'open-vsx'],
  );
  const signing = writers[0]?.[1];
  assert.deepEqual(signing?.permissions, {
    contents: 'write',
    'id-token': 'write',
    attestations: 'write',
  });
  const uses = signing?.steps.flatMap((step) => step.uses?.split('@')[0] ?? []) ?? [];
  for (const action of ['actions/attest-build-provenance', 'actions/attest-sbom'])
    assert.ok(uses.includes(action), action);
  assert.ok(!uses.includes('actions/checkout'));
  const runs = JSON.stringify(release);
  for (const step of [
    ...['npm audit', 'npm run --silent sbom', 'npm run release:check'],
    ...['sha256sum', '--check-reproducible'],
  ])
    assert.ok(runs.includes(step), step);
});

test('publishing needs no kept secret, and runs one pinned tool on the files that were signed', () => {
  const release = workflows.find(({ name }) => name === 'release.yml')?.workflow;
  const tools = JSON.parse(read('tools/publish/package-lock.json')) as typeof lock;
  const unhashed = Object.entries(tools.packages).filter(
    ([path, { integrity }]) => path !== '' && !integrity?.startsWith('sha512-'),
  );
  assert.deepEqual(unhashed, []);
  const direct = JSON.parse(read('tools/publish/package.json')).dependencies;
  assert.equal(direct['@vscode/vsce'], manifest.devDependencies['@vscode/vsce']);
  assert.match(direct.ovsx, /^\d+\.\d+\.\d+$/);
  for (const [job, command] of [
    ['marketplace', 'vsce publish --oidc'],
    ['open-vsx', 'ovsx publish --trusted-publishing'],
  ] as const) {
    const { permissions, steps = [], ...rest } = release?.jobs[job] ?? {};
    assert.deepEqual(permissions, { contents: 'read', 'id-token': 'write' }, job);
    assert.doesNotMatch(JSON.stringify({ steps, rest }), /secrets\.|_PAT|TOKEN/, job);
    assert.deepEqual(
      steps.flatMap(({ run }) => run ?? []),
      [
        'sha256sum --check --strict SHA256SUMS',
        'npm ci --ignore-scripts --no-audit --no-fund',
        `tools/publish/node_modules/.bin/${command} --skip-duplicate --packagePath release/*.vsix`,
      ],
      job,
    );
  }
});

test('what publishes is the Node of .nvmrc', () => {
  const node = read('.nvmrc').trim();
  const named = [...read('.github/workflows/release.yml').matchAll(/node-version: (\S+)/g)];
  assert.ok(named.length > 0);
  for (const [, version] of named) assert.equal(version, node);
});
