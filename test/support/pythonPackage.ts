/** Programs from PyPI that tests and comparisons run, each of one exact version in a virtual environment of its own under `.cache`. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './localModel.ts';
import { type Program, startProgram } from './programs.ts';

export interface PythonPackage {
  /** As a person calls it. */
  readonly name: string;
  readonly package: string;
  /** As pip writes them: `[proxy]`. */
  readonly extras?: string;
  readonly version: string;
}

export const OPENAI_FOR_PYTHON: PythonPackage = {
  name: "OpenAI's SDK for Python",
  package: 'openai',
  version: '3.57.0',
};

/** Minor versions of Python 3. */
export interface PythonVersions {
  readonly oldest: number;
  readonly newest: number;
}

/** Makes the environment once and returns the folder of its programs. Throws a sentence that says what is missing. */
export async function installPythonPackage(
  wanted: PythonPackage,
  versions: PythonVersions,
): Promise<string> {
  const folder = join(repositoryRoot, '.cache', `${wanted.package}-${wanted.version}`);
  const bin = join(folder, process.platform === 'win32' ? 'Scripts' : 'bin');
  const done = join(folder, 'installed');
  if (existsSync(done)) return bin;
  const python = await findPython(wanted.name, versions);
  console.error(`· installing ${wanted.name} ${wanted.version} into .cache (once; about a minute)`);
  mkdirSync(folder, { recursive: true });
  const made = startProgram('python -m venv', python, ['-m', 'venv', folder]);
  if ((await made.ended()) !== 0) {
    throw new Error(
      `expected ${python} to make a virtual environment, got: ${lastLine(made)}; install its venv module (Debian: python3-venv) and run this again`,
    );
  }
  const requirement = `${wanted.package}${wanted.extras ?? ''}==${wanted.version}`;
  const pip = startProgram('pip', join(bin, 'python'), [
    ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'],
    ...['--retries', '1', requirement],
  ]);
  if ((await pip.ended()) !== 0) {
    throw new Error(
      `expected pip to install ${requirement} from PyPI, got: ${lastLine(pip)}; check the network and run this again`,
    );
  }
  writeFileSync(done, '');
  return bin;
}

async function findPython(name: string, { oldest, newest }: PythonVersions): Promise<string> {
  let got = 'none';
  for (const command of ['python3', 'python']) {
    const asked = startProgram(command, command, ['--version']);
    if ((await asked.ended()) !== 0) continue;
    const [, version, minor] = /Python (3\.(\d+)\S*)/.exec(asked.said()) ?? [];
    if (Number(minor) >= oldest && Number(minor) <= newest) return command;
    got = version ?? asked.said().trim();
  }
  throw new Error(
    `expected Python 3.${oldest} to 3.${newest} on the PATH as python3 or python, got ${got}; ${name} needs it: install it and run this again`,
  );
}

function lastLine(program: Program): string {
  const lines = program.said().trim().split('\n');
  return lines.findLast((line) => line.startsWith('ERROR')) ?? lines.at(-1) ?? 'nothing';
}
