// How much the extension costs at start, each as the median of ten: VS Code's own figure for its activation, and the time
// from starting the server until it has answered `initialize`, and until its ledger is open.
// Run it by: node scripts/measureActivation.mjs
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createMessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-languageserver/node';
import { launchVscode, openBrowser } from '../test/vscode/launch.ts';
import { openWorkbench, textOf } from '../test/vscode/workbench.ts';
import { prepareEditorTests } from './editorTests.mjs';
import { projectNode, root } from './setup.mjs';

const RUNS = 10;
const lacking = await prepareEditorTests();
if (lacking !== undefined) throw new Error(`expected a VS Code to measure in, got ${lacking}`);

const servers = [];
for (let run = 0; run < RUNS; run++) servers.push(await serverStart());
print(
  'server answers initialize',
  servers.map(({ initializeMs }) => initializeMs),
);
print(
  'server has its ledger open and tells its models',
  servers.map(({ openMs }) => openMs),
);
print('activation in the extension host', await activations());

async function serverStart() {
  const folder = mkdtempSync(join(tmpdir(), 'car-measure-'));
  const program = join(
    root,
    'build',
    'stage',
    `${process.platform}-${process.arch}`,
    'dist',
    'server.js',
  );
  const startedMs = performance.now();
  const child = spawn(projectNode(), [program, '--stdio'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const connection = createMessageConnection(
    new StreamMessageReader(child.stdout),
    new StreamMessageWriter(child.stdin),
  );
  connection.onRequest('workspace/configuration', ({ items }) => items.map(() => ({})));
  connection.onRequest('client/registerCapability', () => null);
  connection.listen();
  await connection.sendRequest('initialize', {
    processId: process.pid,
    rootUri: null,
    capabilities: { workspace: { configuration: true } },
    initializationOptions: { dataDir: folder },
  });
  const initializeMs = performance.now() - startedMs;
  await connection.sendNotification('initialized', {});
  // Unlike the status, the models are told only when ledger and registry are open.
  await connection.sendRequest('costAwareRouter/models', null);
  const openMs = performance.now() - startedMs;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await connection.sendRequest('shutdown');
  await connection.sendNotification('exit');
  await ended;
  connection.dispose();
  rmSync(folder, { recursive: true, force: true });
  return { initializeMs, openMs };
}

/** Each run is a new window, so a new extension host with nothing loaded. */
async function activations() {
  const server = await launchVscode({ model: false });
  const opened = await openBrowser(server.url);
  const found = [];
  try {
    for (let run = 0; run < RUNS; run++) {
      const { page, palette, statusItem } = await openWorkbench(server, opened);
      await statusItem.waitFor({ timeout: 60_000 });
      await palette('Developer: Show Running Extensions');
      const row = page.locator('.runtime-extensions-editor .extension', {
        hasText: 'Cost-Aware Router',
      });
      const text = await textOf(row.locator('.activation-time'));
      const said = /([\d.]+)\s*ms/.exec(text);
      if (said === null) throw new Error(`expected an activation time, got ${text}`);
      found.push(Number(said[1]));
      await page.close();
    }
  } finally {
    await opened.browser.close();
    await server.stop();
  }
  return found;
}

function print(name, values) {
  const sorted = values.toSorted((a, b) => a - b);
  const median = (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;
  const [least, most] = [sorted[0], sorted.at(-1)].map((value) => Math.round(value));
  console.log(
    `${name}: ${Math.round(median)} ms (median of ${values.length}, ${least} to ${most})`,
  );
}
