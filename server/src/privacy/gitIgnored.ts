/**
 * Whether a file is ignored by git, read from the ignore files themselves: git is not run, because the folder of a stranger
 * could make it start programs. A file that is tracked all the same counts as ignored, which is the safe side.
 */
import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import createIgnore, { type Ignore } from 'ignore';

/** Rejects where an ignore file is there and can't be read. */
export async function isGitIgnored(file: string): Promise<boolean> {
  const root = await repositoryOf(dirname(resolve(file)));
  if (root === undefined) return false;
  const levels: Level[] = [];
  for (const path of [...userIgnoreFiles(), ...(await excludeFiles(root))]) {
    await addLevel(levels, root, path);
  }
  // A folder that is ignored hides all that is in it, so the way down ends there.
  const steps = relative(root, resolve(file)).split(sep);
  for (let depth = 0; depth < steps.length; depth++) {
    const folder = join(root, ...steps.slice(0, depth));
    await addLevel(levels, folder, join(folder, '.gitignore'));
    const isFolder = depth < steps.length - 1;
    if (ignoredBy(levels, join(folder, steps[depth] ?? ''), isFolder)) return true;
  }
  return false;
}

interface Level {
  readonly folder: string;
  readonly rules: Ignore;
}

/** Later levels overrule earlier ones. */
function ignoredBy(levels: readonly Level[], path: string, isFolder: boolean): boolean {
  let ignored = false;
  for (const { folder, rules } of levels) {
    const inside = relative(folder, path).replaceAll(sep, '/');
    const tested = rules.test(isFolder ? `${inside}/` : inside);
    if (tested.ignored) ignored = true;
    else if (tested.unignored) ignored = false;
  }
  return ignored;
}

async function addLevel(levels: Level[], folder: string, path: string): Promise<void> {
  const rules = await textOf(path);
  if (rules !== undefined) levels.push({ folder, rules: createIgnore().add(rules) });
}

async function repositoryOf(folder: string): Promise<string | undefined> {
  for (let at = folder; ; at = dirname(at)) {
    if ((await statOf(join(at, '.git'))) !== undefined) return at;
    if (dirname(at) === at) return undefined;
  }
}

/** Where a repository keeps rules of its own beside its files; a worktree names that place in its file `.git`. */
async function excludeFiles(root: string): Promise<string[]> {
  const git = join(root, '.git');
  if ((await statOf(git))?.isDirectory() === true) return [join(git, 'info', 'exclude')];
  const [, named] = /^gitdir: (.+)$/m.exec((await textOf(git)) ?? '') ?? [];
  if (named === undefined) return [];
  const worktree = resolve(root, named.trim());
  const common =
    basename(dirname(worktree)) === 'worktrees' ? dirname(dirname(worktree)) : worktree;
  return [join(common, 'info', 'exclude')];
}

function userIgnoreFiles(): string[] {
  const config = process.env['XDG_CONFIG_HOME'] || join(homedir(), '.config');
  return [join(config, 'git', 'ignore')];
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  return code === 'ENOENT' || code === 'ENOTDIR';
}
