/** The data that ships with the program, found from the sources as well as from the bundle. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The `models` folder beside package.json. */
export function shippedModels(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'models', 'registry.yaml'))) {
    const parent = dirname(folder);
    if (parent === folder) {
      throw new Error(
        'expected models/registry.yaml above the program, found none; reinstall the package',
      );
    }
    folder = parent;
  }
  return join(folder, 'models');
}

export async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(path, 'utf8'));
}
