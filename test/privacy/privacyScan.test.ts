/** What may not leave: secrets in the request as it would be sent, and files that stay here whatever is in them. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { GenerationRequest } from '../../server/src/core/ports.ts';
import { generationRequest } from '../../server/src/core/request.ts';
import type { ContextPart, Turn } from '../../server/src/core/types.ts';
import { createPrivacyScan } from '../../server/src/privacy/privacyScan.ts';
import { registry } from '../support/scriptedPorts.ts';

const folder = mkdtempSync(join(tmpdir(), 'router-privacy-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const cloud = registry.models[1]!;

function scan(
  text: string,
  context: readonly ContextPart[] = [],
  history: readonly Turn[] = [],
  excluded: readonly string[] = [],
) {
  const request = generationRequest({ text, context, history }, cloud, 1);
  return createPrivacyScan({ excluded: () => excluded }).scan(request, context);
}

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
  ['a private key', privateKey, /private-?key/],
  ['a comment that would switch the scan off', `// secretlint-disable\n${awsSecret}`, /aws/],
  ['prose about passwords', 'How should I store a password in a database?', undefined],
  ['code that reads one', 'const password = process.env.PASSWORD ?? readLine();', undefined],
  [
    'a placeholder',
    'const password = "<your-password>"; login("postgres://user:password@localhost")',
    undefined,
  ],
  [
    'types and names',
    'interface A { password: string1; token: Uint8Array; apiKey: "api_key_header_2" }',
    undefined,
  ],
  ['a plain question', 'Why does this retry twice?', undefined],
];

for (const [name, text, rule] of rows) {
  test(`${rule === undefined ? 'passes' : 'finds'} ${name}`, async () => {
    const findings = await scan(text);
    const part: ContextPart = { kind: 'selection', text, path: 'src/a.ts' };
    const inContext = await scan('Explain.', [part]);
    const inHistory = await scan('Go on.', [], [{ role: 'assistant', text }]);
    if (rule === undefined) {
      assert.deepEqual([findings, inContext, inHistory], [[], [], []]);
      return;
    }
    assert.ok(findings.some((finding) => rule.test(finding.rule) && finding.where === 'prompt'));
    assert.ok(inContext.some((finding) => rule.test(finding.rule) && finding.where === 'src/a.ts'));
    assert.ok(inHistory.some((finding) => rule.test(finding.rule) && finding.where === 'prompt'));
    const told = JSON.stringify([findings, inContext, inHistory]);
    assert.ok(!told.includes(text.slice(-12)), 'the secret is not repeated');
  });
}

test('the final text is what is scanned: a secret in a path, or made of two turns, is found', async () => {
  const inPath: ContextPart = { kind: 'file', path: `notes/${github}.md`, text: 'x' };
  assert.ok((await scan('?', [inPath])).some(({ rule }) => /github/.test(rule)));
  const halves: Turn[] = [{ role: 'user', text: 'my password =' }];
  assert.ok(
    (await scan('"correct-horse-battery"', [], halves)).some(({ rule }) => rule === 'password'),
  );
});

test('what a program adds to a prompt is scanned too: tools, their calls and results, schemas', async () => {
  const { scan: scanRequest } = createPrivacyScan();
  const schema = { type: 'object', properties: { [github]: { type: 'string' } } };
  const requests: readonly object[] = [
    { tools: { tools: [{ name: 'run', description: awsSecret, parameters: {} }] } },
    { tools: { tools: [{ name: 'run', parameters: schema }] } },
    { answerFormat: { kind: 'json_schema', schema } },
    {
      turns: [
        {
          role: 'assistant',
          text: '',
          toolCalls: [{ id: '1', name: 'run', arguments: awsSecret }],
        },
      ],
    },
    { turns: [{ role: 'tool', text: awsSecret, toolCallId: '1' }] },
    { turns: [{ role: 'tool', text: '', toolCallId: github }] },
  ];
  for (const request of requests) {
    const whole = { system: '', turns: [], maxOutputTokens: 1, ...request } as GenerationRequest;
    assert.ok((await scanRequest(whole, [])).length > 0, JSON.stringify(Object.keys(request)));
  }
});

test('files that exist to hold secrets never leave, whatever is in them', async () => {
  const paths = [
    '.env',
    'app/.env.local',
    'prod.env',
    'keys/id_ed25519',
    'C:\\x\\.npmrc',
    'a.pem',
    'b/tls.key',
    'secrets.yaml',
    'x.kdbx',
    '.git-credentials',
    'terraform.tfstate',
  ];
  for (const path of paths) {
    const part: ContextPart = { kind: 'file', path, text: 'nothing here' };
    assert.deepEqual(await scan('?', [part]), [{ rule: 'secret-file', where: path }]);
  }
  for (const path of [
    'src/env.ts',
    '.env.example',
    'src/credentials.ts',
    'keys/readme.md',
    'src/secrets.ts',
  ]) {
    const part: ContextPart = { kind: 'file', path, text: 'export {};' };
    assert.deepEqual(await scan('?', [part]), [], path);
  }
});

test('a file that a person excludes never leaves; patterns are those of .gitignore', async () => {
  const excluded = ['customers/', '*.sql', '!schema.sql', '/top.txt'];
  const kept = [
    'customers/a.csv',
    'src/customers/b/c.ts',
    'db/dump.SQL',
    'C:\\work\\customers\\x.ts',
    '../up/x.sql',
    '/abs/customers/y',
    'top.txt',
  ];
  for (const path of kept) {
    const part: ContextPart = { kind: 'file', path, text: 'x' };
    assert.deepEqual(
      await scan('?', [part], [], excluded),
      [{ rule: 'excluded-file', where: path }],
      path,
    );
  }
  for (const path of ['src/customers.ts', 'schema.sql', 'deep/top.txt', 'a.ts']) {
    assert.deepEqual(await scan('?', [{ kind: 'file', path, text: 'x' }], [], excluded), [], path);
  }
});

const repository = join(folder, 'repository');
function write(path: string, text = 'x'): string {
  const full = join(repository, path);
  mkdirSync(join(full, '..'), { recursive: true });
  writeFileSync(full, text);
  return full;
}
const partOf = (path: string): ContextPart => ({
  kind: 'file',
  path,
  text: 'x',
  file: join(repository, path),
});

test('a file that git ignores never leaves', async () => {
  write('.git/info/exclude', 'private/\n');
  write('.gitignore', '*.log\n/build/\n!keep.log\n# comment\n');
  write('src/.gitignore', 'local.ts\n!loud.log\n');
  write('build/.gitignore', '!out.ts\n');
  const ignored = [
    'a.log',
    'src/b.log',
    'build/out.ts',
    'private/notes.md',
    'src/local.ts',
    'src/deep/local.ts',
  ];
  for (const path of [
    ...ignored,
    'keep.log',
    'src/loud.log',
    'src/a.ts',
    'local.ts',
    'src/build/x.ts',
  ])
    write(path);
  for (const path of ignored) {
    assert.deepEqual(await scan('?', [partOf(path)]), [{ rule: 'git-ignored', where: path }], path);
  }
  for (const path of [
    'keep.log',
    'src/loud.log',
    'src/a.ts',
    'local.ts',
    'src/build/x.ts',
    'not/there.ts',
  ]) {
    assert.deepEqual(await scan('?', [partOf(path)]), [], path);
  }
  const outside = join(folder, 'a.log');
  writeFileSync(outside, 'x');
  assert.deepEqual(
    await scan('?', [{ kind: 'file', path: 'a.log', text: 'x', file: outside }]),
    [],
  );
});

test('a link to a file that must stay here is judged by what it leads to', async () => {
  write('.git/HEAD');
  write('.env.production', 'A=1');
  symlinkSync(join(repository, '.env.production'), join(repository, 'harmless.txt'));
  assert.deepEqual(await scan('?', [partOf('harmless.txt')]), [
    { rule: 'secret-file', where: 'harmless.txt' },
  ]);
});

test('ignore files that can not be read keep the prompt here', async (context) => {
  if (process.getuid?.() === 0) {
    // Root reads everything, so a folder stands where the file should be.
    const other = join(folder, 'other');
    mkdirSync(join(other, '.git'), { recursive: true });
    mkdirSync(join(other, '.gitignore'));
    writeFileSync(join(other, 'a.ts'), 'x');
    await assert.rejects(
      scan('?', [{ kind: 'file', path: 'a.ts', text: 'x', file: join(other, 'a.ts') }]),
    );
    context.diagnostic('as root, by a folder in the place of the file');
    return;
  }
  const file = write('.gitignore', '*.log\n');
  chmodSync(file, 0);
  await assert.rejects(scan('?', [partOf('a.log')]));
  chmodSync(file, 0o600);
});

test('a secret anywhere in a long text is found, also across the pieces that it is scanned in', async () => {
  const filler = 'const value = compute(1, 2);\n'.repeat(3000);
  for (const at of [0, 63_990, 64_010, 72_100, filler.length]) {
    const text = `${filler.slice(0, at)}\n${awsSecret}\n${filler.slice(at)}`;
    assert.ok((await scan(text)).length > 0, `at ${at}`);
  }
});

/** Repetitions that made patterns slow: `-eyJ` held the event loop for four seconds at this length before it was mended. */
const slowly = [
  '-eyJ',
  'eyJaaaaaaaaaa.',
  'password:',
  'password="a',
  'curl ',
  'sk-',
  '://a:',
  '-----BEGIN PRIVATE KEY-----\n',
  'aws_secret_access_key=',
  'key-',
  'authorization: bearer ',
  ';password=',
  'a',
  '\n',
  '=',
  '_',
];

test('no text holds up everything else: pieces are short, and repetition is not slow', async () => {
  const times = [];
  for (const piece of slowly) {
    const startedMs = performance.now();
    await scan(piece.repeat(200_000 / piece.length));
    times.push(performance.now() - startedMs);
  }
  const [slowest = 0, median = 1] = [
    Math.max(...times),
    times.toSorted((a, b) => a - b)[times.length >> 1],
  ];
  // Quadratic time would be a hundred times the median or more.
  assert.ok(slowest < 60 * Math.max(median, 20), `slowest ${slowest} ms, median ${median} ms`);
  let turns = 0;
  let running = true;
  const counting = (async () => {
    while (running) {
      await nextTurn();
      turns++;
    }
  })();
  await scan('const value = compute(1, 2);\n'.repeat(20_000));
  running = false;
  await counting;
  assert.ok(turns >= 8, `expected turns of the event loop between the pieces, got ${turns}`);
});

test('scans leave nothing behind that grows while the program runs', async () => {
  const marks = () => performance.getEntriesByType('mark').length;
  await scan('the first one loads the rules');
  const before = marks();
  for (let at = 0; at < 20; at += 1) await scan(`an ordinary prompt, number ${at}`);
  assert.equal(marks(), before);
});
