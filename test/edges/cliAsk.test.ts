/** `ask`: what a terminal, a pipe and a script see of one answer, and how it ends. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { failure } from '../../server/src/core/errors.ts';
import { createApi } from '../../server/src/http/api.ts';
import {
  BIG,
  fails,
  LOCAL,
  MINI,
  type Script,
  says,
  scriptedRouter,
} from '../support/scriptedPorts.ts';
import { type CliOptions, cli, jsonOf } from './cliHarness.ts';

const terminal = { stdout: true, stderr: true } as const;
const sure: Script = { answers: { [LOCAL]: [says('Forty two.', { sure: true })] } };
const unsure: Script = {
  answers: { [LOCAL]: [says('Maybe one.', { sure: false })], [BIG]: [says('Two, surely.')] },
  scores: { [MINI]: 0.4 },
};
const noKey: Script = {
  availability: { [BIG]: { kind: 'no_api_key' }, [MINI]: { kind: 'no_api_key' } },
};

test('a pipe gets the final text alone, the line about it goes to stderr', async () => {
  const run = await cli(['ask', 'what?'], { script: sure });
  assert.equal(run.code, 0);
  assert.equal(run.stdout, 'Forty two.\n');
  assert.match(run.stderr, /^local · Small Local · free · .* · saved \$\S+ · Looks easy .*\n$/);
});

test('a pipe gets no draft that was replaced', async () => {
  const run = await cli(['ask', 'what?'], { script: unsure });
  assert.equal(run.stdout, 'Two, surely.\n');
  assert.match(run.stderr, /^cloud · cloud-big · \$.*The local draft was unsure/);
});

test('a terminal streams the draft, a line says that it was unsure, and the answer follows', async () => {
  const pieces: string[] = [];
  const run = await cli(['ask', 'what?'], {
    script: unsure,
    terminal,
    env: { NO_COLOR: '1' },
    onStdout: (text) => pieces.push(text),
  });
  assert.equal(run.code, 0);
  const [draft, note, answer, line] = run.stdout.split('\n');
  assert.equal(draft, 'Maybe one.');
  assert.match(
    note ?? '',
    /^The local draft was unsure \(confidence 0\.\d\d of 0\.50\); cloud-big answers:$/,
  );
  assert.equal(answer, 'Two, surely.');
  assert.match(line ?? '', /^cloud · cloud-big · /);
  // In pieces as they came, not at the end.
  assert.ok(pieces.includes('Maybe ') && pieces.includes('surely.'), JSON.stringify(pieces));
});

test('a draft that stands after all is shown again below the failure', async () => {
  const run = await cli(['ask', 'what?'], {
    script: {
      ...unsure,
      answers: { ...unsure.answers, [BIG]: [fails(failure('provider_unavailable', 'it is down'))] },
    },
    terminal,
    env: { NO_COLOR: '1' },
  });
  assert.equal(run.code, 0);
  assert.match(
    run.stdout,
    /^Maybe one\.\nThe local draft[^\n]*\ncloud-big could not answer[^\n]*Small Local answers:\nMaybe one\.\nlocal · /,
  );
});

const colours: readonly (readonly [name: string, options: CliOptions, coloured: boolean])[] = [
  ['a terminal', { terminal }, true],
  ['a terminal under NO_COLOR', { terminal, env: { NO_COLOR: '1' } }, false],
  ['a dumb terminal', { terminal, env: { TERM: 'dumb' } }, false],
  ['a pipe', {}, false],
];

for (const [name, options, coloured] of colours) {
  test(`${name} is ${coloured ? '' : 'not '}coloured`, async () => {
    const run = await cli(['ask', 'what?'], { script: sure, ...options });
    assert.equal((run.stdout + run.stderr).includes('\u001b[90m'), coloured);
  });
}

test('control characters of a model do not reach a terminal', async () => {
  const script = {
    answers: { [LOCAL]: [says('red \u001b[31m\u009b2J\u0007alert\ttab', { sure: true })] },
  };
  const run = await cli(['ask', 'what?'], { script, terminal, env: { NO_COLOR: '1' } });
  assert.match(run.stdout, /^red \[31m2Jalert\ttab\n/);
});

test('--json prints one object that has the fields of the REST reply', async () => {
  const run = await cli(['ask', 'what?', '--json'], { script: sure });
  assert.equal(run.code, 0);
  assert.equal(run.stderr, '');
  const printed = jsonOf(run);
  assert.equal(printed['text'], 'Forty two.');
  assert.equal(printed['chosen_model'], LOCAL);
  assert.equal(printed['cost_usd'], 0);
  assert.equal(printed['cache_hit'], false);
  assert.deepEqual(shapeOf(printed), shapeOf(await restReply({ prompt: 'what?' }, sure)));
});

test('--json --dry-run has the fields of a dry run over REST, and nothing was called', async () => {
  const run = await cli(['ask', 'what?', '--json', '--dry-run'], { script: noKey });
  const printed = jsonOf(run);
  assert.equal(run.code, 0);
  assert.equal(printed['text'], null);
  assert.equal(printed['cost_usd'], 0);
  assert.deepEqual(
    shapeOf(printed),
    shapeOf(await restReply({ prompt: 'what?', dry_run: true }, noKey)),
  );
});

test('--json tells unknown savings as null with the cause', async () => {
  const script = { answers: { [LOCAL]: [says('Half an', { sure: true, finish: 'length' })] } };
  const printed = jsonOf(await cli(['ask', 'what?', '--json'], { script }));
  assert.equal(printed['saved_cost_usd'], null);
  assert.equal(printed['savings_unknown_because'], 'answer_incomplete');
});

const previews: readonly (readonly [
  name: string,
  argv: readonly string[],
  script: Script,
  text: RegExp,
])[] = [
  [
    'easy',
    [],
    sure,
    /^→ local · Small Local · free · time unknown until measured\n {2}Looks easy[^\n]*\n {2}if unsure: cloud-big, at most \$/,
  ],
  ['hard', [], { scores: { [LOCAL]: 0.9 } }, /^→ cloud · cloud-big · ≈ \$\S+, at most \$\S+ · /],
  [
    'without a key',
    [],
    { ...noKey, scores: { [LOCAL]: 0.9 } },
    /^→ local · .*\n {2}Wanted cloud-big \(would cost ≈ \$\S+\), but there is no API key\./,
  ],
];

for (const [name, argv, script, text] of previews) {
  test(`a dry run of a prompt that is ${name} shows where it would go`, async () => {
    const run = await cli(['ask', 'what?', '--dry-run', ...argv], { script });
    assert.equal(run.code, 0);
    assert.match(run.stdout, text);
  });
}

const endings: readonly (readonly [
  argv: readonly string[],
  script: Script,
  code: number,
  error: string,
])[] = [
  [['--force', 'openai'], noKey, 4, 'no_api_key'],
  [
    ['--force', 'cheap'],
    { availability: { [LOCAL]: { kind: 'model_missing' } } },
    4,
    'model_missing',
  ],
  [['--force', 'openai', '--max-cost-usd', '0.000001'], {}, 3, 'cost_limit'],
  [
    ['--force', 'openai'],
    { settings: { monthlyBudgetNanoUsd: 0 as never } },
    3,
    'budget_exhausted',
  ],
  [['--force', 'openai', '--local-only'], {}, 3, 'privacy_floor'],
  [
    ['--force', 'openai'],
    { answers: { [BIG]: [fails(failure('bad_key', 'the key was refused'))] } },
    4,
    'bad_key',
  ],
];

for (const [argv, script, code, error] of endings) {
  test(`ask ${argv.join(' ')} can end with ${code} (${error})`, async () => {
    const plain = await cli(['ask', 'what?', ...argv], { script });
    assert.equal(plain.code, code);
    assert.equal(plain.stdout, '');
    assert.match(plain.stderr, new RegExp(`^error: .*\\(${error}\\)`));

    const json = await cli(['ask', 'what?', '--json', ...argv], { script });
    assert.equal(json.code, code);
    const problem = jsonOf(json)['error'] as Record<string, unknown>;
    assert.equal(problem['code'], error);

    const dry = await cli(['ask', 'what?', '--dry-run', ...argv], { script });
    assert.equal(dry.code, error === 'bad_key' ? 0 : code);
  });
}

test('a missing model comes with the command that fetches it', async () => {
  const script: Script = { availability: { [LOCAL]: { kind: 'model_missing' } } };
  const run = await cli(['ask', 'what?', '--force', 'cheap'], { script });
  assert.match(run.stderr, /\nnext: cost-aware-router models download small-local\n$/);
});

test('constraints change the route', async () => {
  const hard: Script = { scores: { [LOCAL]: 0.9 } };
  const forced = await cli(['ask', 'what?', '--json', '--force', 'cheap'], { script: hard });
  assert.equal(jsonOf(forced)['route_reason'], `forced(model=${LOCAL})`);
  const limited = await cli(['ask', 'what?', '--json', '--max-cost-usd', '0'], { script: hard });
  assert.match(String(jsonOf(limited)['route_reason']), /^cost_limit\(/);
  const kept = await cli(['ask', 'what?', '--json', '--local-only'], { script: hard });
  assert.match(String(jsonOf(kept)['route_reason']), /^privacy_floor\(rule=local-only/);
  const wanted = await cli(['ask', 'what?', '--json', '--min-quality', '0.895'], { script: {} });
  assert.equal(jsonOf(wanted)['chosen_model'], BIG);
});

const folder = mkdtempSync(join(tmpdir(), 'cli-ask-'));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'sum.py'), 'print(1 + 1)\n');
writeFileSync(join(folder, 'blob.bin'), Buffer.from([65, 0, 66]));

/** What the model is asked, for given arguments and stdin. */
async function asked(argv: readonly string[], options: CliOptions = {}): Promise<string> {
  let text = '';
  const script: Script = {
    answers: {
      [LOCAL]: [
        (request, signal) => {
          text = request.turns.at(-1)?.text ?? '';
          return says('Done.', { sure: true })(request, signal);
        },
      ],
    },
  };
  const run = await cli(['ask', ...argv], { script, cwd: folder, ...options });
  assert.equal(run.code, 0, run.stderr);
  return text;
}

test('the prompt comes from the argument, from - and from a pipe', async () => {
  assert.equal(await asked(['what?']), 'what?');
  assert.equal(await asked(['-'], { stdin: 'from stdin\n' }), 'from stdin');
  assert.equal(await asked([], { stdin: 'from a pipe\n' }), 'from a pipe');
  assert.equal(await asked(['--', '--what?']), '--what?');
});

test('files are context with their path and language, - is stdin', async () => {
  const text = await asked(['what?', '--file', 'sum.py', '--file', '-'], { stdin: 'piped' });
  assert.match(
    text,
    /<context-[0-9a-f]{8} kind="file" path="sum\.py" language="python">\nprint\(1 \+ 1\)\n/,
  );
  assert.match(text, /<context-[0-9a-f]{8} kind="text">\npiped\n/);
  const outside = await asked(['what?', '--file', join(folder, 'sum.py')], {
    cwd: import.meta.dirname,
  });
  assert.match(outside, /path="sum\.py"/);
  assert.equal(outside.includes(folder), false, 'expected no folder of this machine in the prompt');
});

test('binary files and empty pipes are bad input', async () => {
  const binary = await cli(['ask', 'what?', '--file', 'blob.bin'], { cwd: folder });
  assert.equal(binary.code, 2);
  assert.match(binary.stderr, /binary data in blob\.bin/);
  for (const argv of [
    ['ask', '-'],
    ['ask', 'what?', '--file', '-'],
  ]) {
    const piped = await cli(argv, { stdin: 'PNG\0\0\u0001' });
    assert.equal(piped.code, 2);
    assert.match(piped.stderr, /expected text on stdin, got binary data/);
  }
  assert.equal((await cli(['ask'], { stdin: '\n' })).code, 2);
  const json = await cli(['ask', '--json'], { stdin: '\n' });
  assert.equal((jsonOf(json)['error'] as Record<string, unknown>)['code'], 'bad_request');
});

test('Ctrl-C cancels, ends with 130 and closes what is settled', async () => {
  const controller = new AbortController();
  const script: Script = {
    answers: {
      [LOCAL]: [
        async function* (_request, signal) {
          yield { type: 'text-delta', text: 'It was a ' };
          controller.abort();
          assert.ok(signal.aborted);
          yield { type: 'failed', failure: failure('cancelled', 'the answer was cancelled') };
        },
      ],
    },
  };
  const run = await cli(['ask', 'what?'], { script, terminal, signal: controller.signal });
  assert.equal(run.code, 130);
  assert.equal(run.stdout, 'It was a \n');
  assert.match(run.stderr, /cancelled\n$/);
});

test('a cancelled stream that does not settle holds nobody up', async () => {
  const run = await cli(['ask', 'what?'], {
    script: { answers: { [LOCAL]: [fails(failure('cancelled', 'the answer was cancelled'))] } },
    signal: AbortSignal.abort(),
    app: (app) => ({ ...app, router: { ...app.router, idle: () => new Promise(() => {}) } }),
  });
  assert.equal(run.code, 130);
});

async function restReply(body: unknown, script: Script): Promise<Record<string, unknown>> {
  const { router, ports } = scriptedRouter(script);
  const settings = () => {
    throw new Error('expected an answer to need no settings');
  };
  const api = createApi({ router, ports, settings, token: undefined, version: '1.2.3' });
  const response = await api.fetch(
    new Request('http://127.0.0.1/generate', {
      method: 'POST',
      headers: { 'content-type': 'application/json', host: '127.0.0.1' },
      body: JSON.stringify(body),
    }),
  );
  return (await response.json()) as Record<string, unknown>;
}

/** Names of fields, all the way down; of lists the first entry. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]));
}
