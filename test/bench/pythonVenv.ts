/** Packages from PyPI in a virtual environment under `.cache`, made once. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../support/localModel.ts';
import { type Program, startProgram } from './besideLitellm/programs.ts';

const PYTHON_3 = { oldest: 10, newest: 14 };

/** @returns the folder of its programs */
export async function ensureVenv(name: string, packages: readonly string[]): Promise<string> {
  const folder = join(repositoryRoot, '.cache', name);
  const bin = join(folder, process.platform === 'win32' ? 'Scripts' : 'bin');
  const done = join(folder, 'installed');
  if (existsSync(done)) return bin;
  const python = await findPython();
  console.error(`· installing ${packages.join(', ')} (once; a minute or more, in .cache)`);
  mkdirSync(folder, { recursive: true });
  const made = startProgram('python -m venv', python, ['-m', 'venv', folder]);
  if ((await made.ended()) !== 0) {
    throw new Error(
      `expected ${python} to make a virtual environment, got: ${lastLine(made)}; install its venv module (Debian: python3-venv) and run this again`,
    );
  }
  const pip = startProgram('pip', join(bin, 'python'), [
    ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries', '1'],
    ...packages,
  ]);
  if ((await pip.ended()) !== 0) {
    throw new Error(
      `expected pip to install ${packages.join(', ')} from PyPI, got: ${lastLine(pip)}; check the network and run this again`,
    );
  }
  writeFileSync(done, '');
  return bin;
}

async function findPython(): Promise<string> {
  const wanted = `Python 3.${PYTHON_3.oldest} to 3.${PYTHON_3.newest}`;
  let got = 'none';
  for (const command of ['python3', 'python']) {
    const asked = startProgram(command, command, ['--version']);
    if ((await asked.ended()) !== 0) continue;
    const [, version, minor] = /Python (3\.(\d+)\S*)/.exec(asked.said()) ?? [];
    if (Number(minor) >= PYTHON_3.oldest && Number(minor) <= PYTHON_3.newest) return command;
    got = version ?? asked.said().trim();
  }
  throw new Error(
    `expected ${wanted} on the PATH as python3 or python, got ${got}; the comparison needs it: install it and run this again`,
  );
}

function lastLine(program: Program): string {
  return program.said().trim().split('\n').at(-1) ?? '';
}
