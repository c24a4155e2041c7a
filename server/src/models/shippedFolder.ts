/** Where registry, prices and fitted data of this package lie, from the sources as well as from the bundle. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export function shippedFolder(): string {
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
