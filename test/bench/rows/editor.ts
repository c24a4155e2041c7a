/** What the packed extension costs an editor: its activation, its size, and memory while nobody uses it. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { repositoryRoot } from '../../support/localModel.ts';
import { type Launched, launchVscode, openBrowser } from '../../vscode/launch.ts';
import { openWorkbench, textOf } from '../../vscode/workbench.ts';
import { median, spread } from '../figures.ts';
import { residentMb } from '../languageServer.ts';
import { section } from '../rows.ts';

/** What could not be had, and where the rest lies. */
const prepared = z.object({
  lacking: z.string().optional(),
  env: z.array(z.tuple([z.string(), z.string()])),
});

const NO_PEER =
  'No other AI extension could be had: llama.vscode and its kind come from extension galleries only, and no registry of packages has one.';

export const editor = section<'activation' | 'size' | 'client' | 'server'>({
  name: 'editor',
  title: 'The extension in VS Code',
  limitS: 110,
  rows: {
    activation: { name: 'extension: activation', unit: 'ms', goal: undefined },
    size: { name: 'extension: size of the VSIX', unit: 'MB', goal: undefined },
    client: { name: 'extension: memory of its extension host, idle', unit: 'MB', goal: undefined },
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
  },
  async run({ quick }, tell) {
    const target = `${process.platform}-${process.arch}`;
    const vsix = join(repositoryRoot, 'build', `cost-aware-router-${target}.vsix`);
    tell('size', {
      value: statSync(vsix).size / 1e6,
      against: null,
      note: `for ${target}. ${NO_PEER}`,
    });
    const without = await windows(false, 1);
    const installed = await windows(true, quick ? 1 : 4);
    tell('activation', {
      value: median(installed.activationsMs),
      against: null,
      note: `${spread(installed.activationsMs, 0)} ms by VS Code's own count, new windows. ${NO_PEER}`,
    });
    tell('client', {
      value: installed.hostMb - without.hostMb,
      against: null,
      note: `${installed.hostMb.toFixed(0)} MB with it, ${without.hostMb.toFixed(0)} MB without. ${NO_PEER}`,
    });
    tell('server', { value: installed.serverMb, against: null, note: NO_PEER });
  },
});

interface Found {
  readonly activationsMs: number[];
  readonly hostMb: number;
  readonly serverMb: number;
}

/** Each window is new, so it has an extension host with nothing loaded; memory is of the last one. */
async function windows(installed: boolean, count: number): Promise<Found> {
  const launched = await launchVscode({ installed, model: false });
  // It is in a group of its own, so the end of this section does not reach it.
  process.once('SIGTERM', () => void launched.stop());
  const opened = await openBrowser(launched.url);
  const activationsMs: number[] = [];
  try {
    for (let nth = 0; nth < count; nth++) {
      const { page, palette, statusItem } = await openWorkbench(launched, opened);
      if (installed) {
        await statusItem.waitFor({ timeout: 60_000 });
        await palette('Developer: Show Running Extensions');
        const row = page.locator('.runtime-extensions-editor .extension', {
          hasText: 'Cost-Aware Router',
        });
        const text = await textOf(row.locator('.activation-time'));
        activationsMs.push(Number(/([\d.]+)\s*ms/.exec(text)?.[1]));
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
