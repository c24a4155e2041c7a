import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import type { ContextPart } from '../../server/src/core/types.ts';
import { createSecretScan } from '../../server/src/privacy/secretScan.ts';

const { scan } = createSecretScan();
/** Put together here, so that no scanner of this repository takes them for real. */
const awsSecret = `aws_secret_access_key = "${'wJalrXUtnFEMI/K7MDENG/'}${'bPxRfiCYEXAMPLFKEY'}"`;
const github = `ghp_${'0123456789abcdefghijklmnopqrstuvwxyz'}`;
const privateKey = generateKeyPairSync('rsa', { modulusLength: 1024 })
  .privateKey.export({ type: 'pkcs1', format: 'pem' })
  .toString();
const jwt = ['eyJhbGciOiJIUzI1NiJ9', 'eyJzdWIiOiIxMjM0NTY3ODkwIn0', 'c2lnbmF0dXJlLXBhcnQ'].join(
  '.',
);

const rows: readonly (readonly [name: string, text: string, rule: RegExp | undefined])[] = [
  ['an AWS secret', awsSecret, /aws/],
  ['a GitHub token', `token: ${github}`, /github/],
  ['a JWT', `Authorization: Bearer ${jwt}`, /jwt/],
  ['a Google key', `key=AIza${'SyA1234567890abcdefghijklmnopqrstuv'}`, /google/],
  ['a password', 'const password = "correct-horse-battery";', /password/],
  ['a private key', privateKey, /privatekey/],
  ['a comment that would switch the scan off', `// secretlint-disable\n${awsSecret}`, /aws/],
  ['prose about passwords', 'How should I store a password in a database?', undefined],
  ['code that reads one', 'const password = process.env.PASSWORD ?? readLine();', undefined],
  ['a plain question', 'Why does this retry twice?', undefined],
];

for (const [name, text, rule] of rows) {
  test(`${rule === undefined ? 'passes' : 'finds'} ${name}`, async () => {
    const findings = await scan(text, []);
    const inContext = await scan('Explain.', [{ kind: 'selection', text, path: 'src/a.ts' }]);
    if (rule === undefined) {
      assert.deepEqual([findings, inContext], [[], []]);
      return;
    }
    assert.ok(findings.some((finding) => rule.test(finding.rule) && finding.where === 'prompt'));
    assert.ok(inContext.some((finding) => rule.test(finding.rule) && finding.where === 'src/a.ts'));
    assert.ok(!JSON.stringify(findings).includes(text.slice(-12)), 'the secret is not repeated');
  });
}

test('files that exist to hold secrets never leave, whatever is in them', async () => {
  for (const path of ['.env', 'app/.env.local', 'keys/id_ed25519', 'C:\\x\\.npmrc']) {
    const part: ContextPart = { kind: 'file', path, text: 'nothing here' };
    assert.deepEqual(await scan('?', [part]), [{ rule: 'secret-file', where: path }]);
  }
  const source: ContextPart = { kind: 'file', path: 'src/env.ts', text: 'export {};' };
  assert.deepEqual(await scan('?', [source]), []);
});
