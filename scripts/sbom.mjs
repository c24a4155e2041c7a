// Prints what is shipped as a list of parts (CycloneDX). npm makes the list; `--omit dev` of it (npm 11.19) would leave out
// every package that a development tool needs as well, and those that only the bundles hold. So what serves development
// alone is taken out here.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup.mjs';
import { titlesIn } from './thirdPartyNotices.ts';

const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
const args = ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'];
const said = execFileSync(npm, args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 });
const bom = JSON.parse(said);
const { name } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

const isForDevelopment = ({ properties = [] }) =>
  properties.some(
    ({ name: of, value }) => of === 'cdx:npm:package:development' && value === 'true',
  );
const notices = readFileSync(join(root, 'dist', 'ThirdPartyNotices.txt'), 'utf8');
const bundled = new Set(titlesIn(notices).map(({ name: of, version }) => `${of}@${version}`));
const shipped = bom.components.filter(
  (component) =>
    !isForDevelopment(component) ||
    bundled.has(decodeURIComponent(component.purl.replace(/^pkg:npm\//, ''))),
);
const refs = new Set([...shipped, bom.metadata.component].map((part) => part['bom-ref']));
bom.components = shipped;
bom.dependencies = bom.dependencies
  .filter(({ ref }) => refs.has(ref))
  .map((each) => ({ ...each, dependsOn: each.dependsOn.filter((ref) => refs.has(ref)) }));
// npm takes the folder's.
bom.metadata.component.name = name;
process.stdout.write(`${JSON.stringify(bom, null, 2)}\n`);
