/** Programs of Debian's that tests run, unpacked under `.cache` and not installed. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './localModel.ts';
import { startProgram } from './programs.ts';

/** @returns the folder of its programs. Throws a sentence that says what is missing. */
export async function unpackDebianPackage(name: string): Promise<string> {
  const folder = join(repositoryRoot, '.cache', `debian-${name}`);
  const bin = join(folder, 'usr', 'bin');
  const done = join(folder, 'unpacked');
  if (existsSync(done)) return bin;
  console.error(`· unpacking Debian's ${name} into .cache (once)`);
  mkdirSync(folder, { recursive: true });
  const download = () => run('apt-get', ['-qq', 'download', name], folder);
  let failed = await download();
  // A new machine has no list of packages yet.
  if (failed !== undefined)
    failed = (await run('apt-get', ['-qq', 'update'])) ?? (await download());
  if (failed !== undefined) {
    throw new Error(`expected apt-get to fetch Debian's ${name}, got: ${failed}`);
  }
  const file = readdirSync(folder).find((one) => one.endsWith('.deb')) ?? '';
  failed = await run('dpkg-deb', ['-x', join(folder, file), folder]);
  if (failed !== undefined) throw new Error(`expected dpkg-deb to unpack ${file}, got: ${failed}`);
  writeFileSync(done, '');
  return bin;
}

/** What the program said when it failed. */
async function run(
  command: string,
  args: readonly string[],
  cwd?: string,
): Promise<string | undefined> {
  const program = startProgram(command, command, args, cwd === undefined ? {} : { cwd });
  const code = await program.ended();
  return code === 0 ? undefined : program.said().trim() || `exit ${code}`;
}
