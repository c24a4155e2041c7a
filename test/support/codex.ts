/** The coding agent Codex, from npm, pointed at a server of the Responses API. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './localModel.ts';
import { outputOf, startProgram } from './programs.ts';

export const CODEX_VERSION = '0.169.0';

const CODEX = `@openai/codex@${CODEX_VERSION}`;

export interface CodexTask {
  /** The program that `installCodex` returned. */
  readonly codex: string;
  /** Where it keeps its settings; it works in the folder `work` therein. */
  readonly home: string;
  /** With `/v1`. */
  readonly baseUrl: string;
  readonly key: string;
  readonly model: string;
}

/** What Codex says when it was told to make the file `made.txt`. */
export async function codexSays({ codex, home, baseUrl, key, model }: CodexTask): Promise<string> {
  const work = join(home, 'work');
  mkdirSync(work);
  writeFileSync(
    join(home, 'config.toml'),
    [
      `model = "${model}"`,
      'model_provider = "router"',
      '[model_providers.router]',
      'name = "router"',
      `base_url = "${baseUrl}"`,
      'env_key = "ROUTER_TOKEN"',
      'wire_api = "responses"',
      '',
    ].join('\n'),
  );
  const { PATH } = process.env;
  return await outputOf(
    codex,
    ['exec', '--skip-git-repo-check', '--sandbox', 'danger-full-access', 'Make made.txt.'],
    { cwd: work, env: { PATH, HOME: home, CODEX_HOME: home, ROUTER_TOKEN: key } },
  );
}

export async function installCodex(): Promise<string> {
  const folder = join(repositoryRoot, '.cache', CODEX.replace(/^@/, '').replace(/[/@]/g, '-'));
  const program = join(folder, 'node_modules', '.bin', 'codex');
  const done = join(folder, 'installed');
  if (existsSync(done)) return program;
  console.error(`· installing ${CODEX} into .cache (once; about a minute)`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{}');
  const npm = startProgram('npm', 'npm', [
    ...['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', CODEX],
  ]);
  assert.equal(await npm.ended(), 0, `npm said: ${npm.said()}`);
  writeFileSync(done, '');
  return program;
}
