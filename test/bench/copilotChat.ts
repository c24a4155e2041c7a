/**
 * GitHub Copilot Chat, the one AI extension that a registry of packages has: it lies among the built-in extensions of the
 * VS Code server that the editor tests use, whose installation leaves it out.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { zipSync } from 'fflate';
import { z } from 'zod';
import { repositoryRoot } from '../support/localModel.ts';

const PACKAGED = 'package/lib/vscode/extensions/copilot';
const manifestSchema = z.looseObject({ version: z.string() });

export interface CopilotChat {
  readonly version: string;
  /** Zipped as a gallery hands extensions out; what its package manager would add is not there. */
  readonly zippedBytes: number;
  /** Extensions as a VS Code server takes them for built-in: its own, and this one. */
  readonly builtIn: string;
}

/** The package in which a VS Code server lies as `lib/vscode/out/server-main.js`. */
function codeServerVersion(serverMain: string): string {
  const manifest = join(dirname(serverMain), '..', '..', '..', 'package.json');
  return manifestSchema.parse(JSON.parse(readFileSync(manifest, 'utf8'))).version;
}

function cacheFolder(version: string): string {
  return join(repositoryRoot, '.cache', `copilot-chat-of-code-server-${version}`);
}

/** Once; some 50 MB by npm. */
export function fetchCopilotChat(serverMain: string): void {
  const version = codeServerVersion(serverMain);
  const folder = cacheFolder(version);
  if (existsSync(folder)) return;
  const filling = `${folder}.${process.pid}`;
  mkdirSync(filling, { recursive: true });
  execFileSync('npm', ['pack', '--silent', `code-server@${version}`], {
    cwd: filling,
    stdio: 'ignore',
  });
  const archive = `code-server-${version}.tgz`;
  execFileSync('tar', ['-xzf', archive, '--strip-components=4', PACKAGED], { cwd: filling });
  rmSync(join(filling, archive));
  renameSync(filling, folder);
}

/** @param serverMain program of the VS Code server, whose built-in extensions come along */
export function placeCopilotChat(serverMain: string, builtIn: string): CopilotChat {
  const from = join(cacheFolder(codeServerVersion(serverMain)), 'copilot');
  const own = join(dirname(dirname(serverMain)), 'extensions');
  cpSync(own, builtIn, { recursive: true });
  const to = join(builtIn, 'copilot');
  cpSync(from, to, { recursive: true });
  const manifest = manifestSchema.parse(
    JSON.parse(readFileSync(join(from, 'package.json'), 'utf8')),
  );
  // Under its own name VS Code keeps it off until someone has signed in to GitHub.
  const renamed = { ...manifest, publisher: 'peer', name: 'copilot-chat-peer' };
  writeFileSync(join(to, 'package.json'), JSON.stringify(renamed));
  return { version: manifest.version, zippedBytes: zippedBytes(from), builtIn };
}

function zippedBytes(folder: string): number {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => statSync(join(folder, name)).isFile());
  const contents = files.map((name) => [name, readFileSync(join(folder, name))] as const);
  return zipSync(Object.fromEntries(contents), { level: 9 }).length;
}
