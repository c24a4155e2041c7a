/**
 * The bearer token of the REST edge: 256 random bits, made at the first start and kept where only its owner can read it.
 * Nothing here logs it.
 */
import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface ApiToken {
  readonly token: string;
  readonly path: string;
  /** True when this call made it: the one time that a terminal should show it. */
  readonly created: boolean;
}

const OWNER_ONLY = 0o600;
const WELL_FORMED = /^[A-Za-z0-9_-]{43}$/;

/** Throws when the file holds something else than a token, rather than let a weak one in. */
export async function ensureToken(dataDir: string): Promise<ApiToken> {
  const path = join(dataDir, 'api-token');
  const known = await readToken(path);
  if (known !== undefined) return { token: known, path, created: false };

  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const token = randomBytes(32).toString('base64url');
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  await writeFile(draft, `${token}\n`, { mode: OWNER_ONLY, flag: 'wx' });
  try {
    // Linking is atomic and never replaces: of two servers that start at once, one makes the token and both use it.
    await link(draft, path);
    return { token, path, created: true };
  } catch (error) {
    const other = await readToken(path);
    if (other === undefined) throw error;
    return { token: other, path, created: false };
  } finally {
    await rm(draft, { force: true });
  }
}

async function readToken(path: string): Promise<string | undefined> {
  let text: string;
  try {
    text = (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  if (!WELL_FORMED.test(text)) {
    throw new Error(
      `expected a token of 43 characters in ${path}, got ${text.length} characters; delete the file to get a new token`,
    );
  }
  await chmod(path, OWNER_ONLY);
  return text;
}
