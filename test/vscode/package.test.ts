/** What lies in the installed package: all that runs, and nothing of another platform, of development or of a model. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../support/localModel.ts';
import { neededPath } from './launch.ts';

const target = `${process.platform}-${process.arch}`;

function installed(): string {
  const extensions = neededPath('EXTENSIONS');
  const folder = readdirSync(extensions).find((name) => name.startsWith('cost-aware-router.'));
  assert.ok(folder, `expected the extension in ${extensions}`);
  return join(extensions, folder);
}

test('the package is below 20 MB', () => {
  const { size } = statSync(join(repositoryRoot, 'build', `cost-aware-router-${target}.vsix`));
  assert.ok(size < 20_000_000, `${size} bytes`);
});

test('the package holds what runs', () => {
  for (const file of [
    'dist/client.cjs',
    'dist/languageClient.cjs',
    'dist/server.js',
    'dist/modelHost.js',
    'dist/tokenWorker.js',
    'dist/webview/dashboard.js',
    'dist/webview/dashboard.css',
    'dist/webview/answers.js',
    'dist/webview/answers.css',
    'dist/grammars/tree-sitter.cjs',
    'dist/grammars/tree-sitter.wasm',
    'models/registry.yaml',
    'models/pricing.yaml',
    'node_modules/node-llama-cpp/package.json',
  ]) {
    assert.ok(existsSync(join(installed(), file)), file);
  }
  const { main } = JSON.parse(readFileSync(join(installed(), 'package.json'), 'utf8'));
  assert.ok(existsSync(join(installed(), main)), main);
  // The names of what the dashboard loads later tell their content.
  const webview = join(installed(), 'dist', 'webview');
  const page = readFileSync(join(webview, 'dashboard.js'), 'utf8');
  const later = [...page.matchAll(/import\("\.\/([^"]+)"\)/g)].map(([, name = '']) => name);
  assert.equal(later.length, 2, 'controls and charts are loaded later');
  for (const name of later) assert.ok(existsSync(join(webview, name)), name);
});

test('the package holds binaries of one platform, and no model, map, source or test', () => {
  const binaries = readdirSync(join(installed(), 'node_modules', '@node-llama-cpp'));
  assert.equal(binaries.length, 1, binaries.join());
  const files = readdirSync(installed(), { recursive: true, encoding: 'utf8' });
  const unwanted = files.filter((file) => /\.(gguf|map|vsix)$|(?<!\.d)\.ts$/.test(file));
  assert.deepEqual(unwanted, []);
  for (const folder of ['test', 'scripts', 'server', 'client', '.vscode', '.cache']) {
    assert.ok(!existsSync(join(installed(), folder)), folder);
  }
});
