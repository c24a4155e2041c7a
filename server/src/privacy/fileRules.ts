/** Files that never leave, whatever is in them: those that exist to hold secrets, those a person excludes, those git ignores. */
import { realpath } from 'node:fs/promises';
import { basename } from 'node:path';
import createIgnore from 'ignore';
import type { ContextPart, PrivacyFinding } from '../core/types.ts';
import { isGitIgnored } from './gitIgnored.ts';

/** By the last part of the path. What is a sample by its name is judged by its content alone. */
const secretFile =
  /^(?:\.env(?:\.[\w.-]+)?|[\w.-]+\.env|id_(?:rsa|dsa|ed25519|ecdsa)(?:_sk)?|\.npmrc|\.netrc|_netrc|\.pypirc|\.pgpass|\.htpasswd|\.git-credentials|\.vault-token|\.dockercfg|credentials|[\w.-]+\.(?:pem|key|p12|pfx|jks|keystore|kdbx|ppk|ovpn|tfstate)|(?:secrets?|credentials)\.(?:ya?ml|json|toml)|service-account[\w.-]*\.json)$/i;
const sampleFile = /\.(?:example|sample|template|dist)$/i;

/** @param excluded patterns as in `.gitignore` */
export async function fileFindings(
  part: ContextPart,
  excluded: readonly string[],
): Promise<PrivacyFinding[]> {
  const { path, file } = part;
  const where = path ?? part.kind;
  const found = (rule: string) => [{ rule, where }];
  // A link in the workspace is judged by what it leads to as well.
  const real = file === undefined ? undefined : await realPathOf(file);
  const names = [path, file, real].filter((name) => name !== undefined);
  if (names.some(isSecretFile)) return found('secret-file');
  if (excluded.length > 0) {
    const rules = createIgnore({ allowRelativePaths: true }).add([...excluded]);
    if (names.some((name) => rules.ignores(asPattern(name)))) return found('excluded-file');
  }
  for (const name of new Set([file, real])) {
    if (name !== undefined && (await isGitIgnored(name))) return found('git-ignored');
  }
  return [];
}

function isSecretFile(path: string): boolean {
  const name = basename(path.replaceAll('\\', '/'));
  return secretFile.test(name) && !sampleFile.test(name);
}

/** As the patterns are written: relative, with slashes. */
function asPattern(path: string): string {
  const plain = path.replaceAll('\\', '/').replace(/^[a-z]:/i, '');
  return plain.replace(/^(?:\.{0,2}\/)+/, '') || '.';
}

/** A document that was never saved has no file yet. */
async function realPathOf(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return file;
    throw error;
  }
}
