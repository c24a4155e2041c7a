/** What the packed extension costs an editor: its activation, its size, and memory while nobody uses it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { repositoryRoot } from '../../support/localModel.ts';
import { type Launched, launchVscode, neededPath, openBrowser } from '../../vscode/launch.ts';
import { openWorkbench, textOf } from '../../vscode/workbench.ts';
import { type CopilotChat, fetchCopilotChat, placeCopilotChat } from '../copilotChat.ts';
import { median, ratios, spread } from '../figures.ts';
import { residentMb } from '../languageServer.ts';
import { section } from '../rows.ts';

/** What could not be had, and where the rest lies. */
const prepared = z.object({
  lacking: z.string().optional(),
  env: z.array(z.tuple([z.string(), z.string()])),
});

const SMALLER = { unit: 'times', goal: { most: 1 } };

export const editor = section<'activation' | 'size' | 'client' | 'both' | 'server'>({
  name: 'editor',
  title: 'The extension in VS Code beside GitHub Copilot Chat',
  limitS: 220,
  rows: {
    activation: { name: 'extension: activation', ...SMALLER },
    size: { name: 'extension: size of the VSIX', ...SMALLER },
    client: { name: 'extension: memory in the extension host, idle', ...SMALLER },
    both: { name: 'extension: memory of client and server, idle', ...SMALLER },
    server: { name: 'extension: memory of its server, idle', unit: 'MB', goal: { most: 120 } },
  },
  prepare() {
    // In a process of its own, because packing writes to the standard output, which is for the rows.
    const script = join(repositoryRoot, 'scripts', 'editorTests.mjs');
    const program = `const { prepareEditorTests } = await import(${JSON.stringify(script)});
      const lacking = await prepareEditorTests();
      const env = Object.entries(process.env).filter(([name]) => name.startsWith('COST_AWARE_ROUTER_TEST_'));
      (await import('node:fs')).writeFileSync(3, JSON.stringify({ lacking, env }));`;
    const ran = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      cwd: repositoryRoot,
      stdio: ['ignore', 2, 2, 'pipe'],
      encoding: 'utf8',
    });
    const { lacking, env } = prepared.parse(JSON.parse(ran.output[3] ?? '{}'));
    if (lacking !== undefined) throw new Error(`expected a VS Code to measure in, got ${lacking}`);
    Object.assign(process.env, Object.fromEntries(env));
    fetchCopilotChat(neededPath('SERVER'));
  },
  async run({ quick }, tell) {
    const target = `${process.platform}-${process.arch}`;
    const vsix = join(repositoryRoot, 'build', `cost-aware-router-${target}.vsix`);
    const builtIn = mkdtempSync(join(tmpdir(), 'bench-copilot-'));
    try {
      const copilot = placeCopilotChat(neededPath('SERVER'), builtIn);
      const peer = `GitHub Copilot Chat ${copilot.version}`;
      const [ours, theirs] = [statSync(vsix).size / 1e6, copilot.zippedBytes / 1e6];
      tell('size', {
        value: ours / theirs,
        against: `${peer}: ${theirs.toFixed(1)} MB`,
        note: `${ours.toFixed(1)} MB for ${target}, with the engine of local models for all its processors; of the other what VS Code has built in, zipped, without the packages that it installs`,
      });
      const count = quick ? 1 : 2;
      const without = await windows('none', 1);
      const installed = await windows('ours', count);
      const others = await windows(copilot, count);
      const times = ratios(installed.activationsMs, others.activationsMs);
      tell('activation', {
        value: median(times),
        against: `${peer}: ${spread(others.activationsMs, 0)} ms`,
        note: `${spread(installed.activationsMs, 0)} ms by VS Code's own count, new windows`,
      });
      const added = installed.hostMb - without.hostMb;
      const theirsAdded = others.hostMb - without.hostMb;
      const against = `${peer}: ${theirsAdded.toFixed(0)} MB more than without`;
      tell('client', {
        value: added / theirsAdded,
        against,
        note: `${installed.hostMb.toFixed(0)} MB with it, ${without.hostMb.toFixed(0)} MB without`,
      });
      tell('both', {
        value: (added + installed.serverMb) / theirsAdded,
        against,
        note: `${(added + installed.serverMb).toFixed(0)} MB; the other has no server of its own and nobody is signed in to it`,
      });
      tell('server', { value: installed.serverMb, against: null });
    } finally {
      rmSync(builtIn, { recursive: true, force: true });
    }
  },
});

interface Found {
  readonly activationsMs: number[];
  readonly hostMb: number;
  readonly serverMb: number;
}

/** Each window is new, so it has an extension host with nothing loaded; memory is of the last one. */
async function windows(which: 'none' | 'ours' | CopilotChat, count: number): Promise<Found> {
  const installed = which === 'ours';
  const launched = await launchVscode({
    installed,
    model: false,
    // What is looked at may reach nobody.
    env: { https_proxy: NOWHERE, http_proxy: NOWHERE },
    ...(typeof which === 'string'
      ? {}
      : { serverArgs: ['--builtin-extensions-dir', which.builtIn] }),
  });
  // It is in a group of its own, so the end of this section does not reach it.
  process.once('SIGTERM', () => void launched.stop());
  const opened = await openBrowser(launched.url);
  const activationsMs: number[] = [];
  try {
    for (let nth = 0; nth < count; nth++) {
      const { page, palette, statusItem } = await openWorkbench(launched, opened);
      if (installed) await statusItem.waitFor({ timeout: 60_000 });
      if (which !== 'none') {
        await palette('Developer: Show Running Extensions');
        const row = page.locator('.runtime-extensions-editor .extension', {
          hasText: installed ? 'Cost-Aware Router' : 'GitHub Copilot',
        });
        const time = row.locator('.activation-time').filter({ hasText: /\d/ });
        activationsMs.push(Number(/([\d.]+)\s*ms/.exec(await textOf(time))?.[1]));
      }
      if (nth < count - 1) {
        await page.close();
        continue;
      }
      await delay(5_000);
    }
    return { activationsMs, ...memoryOf(launched) };
  } finally {
    await opened.browser.close();
    await launched.stop();
  }
}

/** Nobody listens there. */
const NOWHERE = 'http://127.0.0.1:9';

function memoryOf({ folder }: Launched): { readonly hostMb: number; readonly serverMb: number } {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const commands = new Map(all.map((pid) => [pid, commandOf(pid)]));
  const main = all.find((pid) => commands.get(pid)?.includes(join(folder, 'srv')));
  const below = (pid: number): boolean => {
    const parent = parentOf(pid);
    return parent !== undefined && parent > 1 && (parent === main || below(parent));
  };
  const biggest = (word: string) =>
    Math.max(
      ...all
        .filter((pid) => commands.get(pid)?.includes(word) === true && below(pid))
        .map(residentMb),
    );
  return { hostMb: biggest('--type=extensionHost'), serverMb: biggest('dist/server.js') };
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]);
  } catch {
    return undefined;
  }
}
