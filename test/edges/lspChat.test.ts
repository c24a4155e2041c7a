/** What VS Code's own chat and agents ask of the server, by its own protocol over scripted models. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CancellationTokenSource } from 'vscode-languageserver/node';
import type { ChatParams, ChatResultWire, MessageWire } from '../../server/src/protocol.ts';
import { BIG, fails, LOCAL, MINI, type Script, says } from '../support/scriptedPorts.ts';
import { endless } from './httpApi.ts';
import { askOf, type Lsp, openLsp } from './lspHarness.ts';

async function withLsp(script: Script, work: (lsp: Lsp) => Promise<void>): Promise<void> {
  const lsp = await openLsp({ script });
  try {
    await work(lsp);
  } finally {
    await lsp.close();
  }
}

let chats = 0;

function chatOf(
  messages: string | readonly MessageWire[],
  rest: Partial<ChatParams> = {},
): ChatParams {
  return {
    requestId: `chat-${chats++}`,
    sessionId: 'session',
    trusted: true,
    modelId: 'router-auto',
    messages: typeof messages === 'string' ? [{ role: 'user', text: messages }] : messages,
    tools: [],
    mustCall: false,
    ...rest,
  };
}

function textsOf(lsp: Lsp, requestId: string): string[] {
  return lsp
    .notifications('costAwareRouter/answerEvent')
    .filter((one) => one.requestId === requestId)
    .flatMap(({ event }) => (event.kind === 'delta' ? [event.text] : []));
}

function answered(result: ChatResultWire) {
  if (result.kind === 'answered') return result;
  throw new Error(`expected an answer, got ${JSON.stringify(result)}`);
}

const READ_FILE = {
  name: 'read_file',
  description: 'Reads a file.',
  parameters: { type: 'object', properties: { path: { type: 'string' } } },
};
const CALL = { id: 'call_1', name: 'read_file', argumentsJson: '{"path":"a.ts"}' };
const HARD = { [LOCAL]: 0.9, [MINI]: 0.4, [BIG]: 0.1 };

test('the list has the router first, then every enabled model with what it can take', async () => {
  const availability = { [MINI]: { kind: 'no_api_key' } } as const;
  await withLsp({ availability }, async (lsp) => {
    const models = await lsp.request('costAwareRouter/chatModels', null);
    assert.deepEqual(
      models.map(({ id }) => id),
      ['router-auto', LOCAL, MINI, BIG],
    );
    const [auto, local, mini] = models;
    assert.partialDeepStrictEqual(auto, { name: 'Router: Auto', callsTools: true });
    assert.equal(auto?.maxInputTokens, 90_000);
    assert.partialDeepStrictEqual(local, {
      name: 'Router: Small Local',
      detail: 'free',
      callsTools: false,
    });
    assert.equal(local?.maxInputTokens, 4096 - 512);
    assert.equal(mini?.detail, 'Needs an API key.');
  });
});

test('a draft that is replaced is never told; the answer that stands comes in pieces', async () => {
  const answers = { [LOCAL]: [says('a guess', { sure: false })], [BIG]: [says('the true answer')] };
  await withLsp({ answers, scores: { [LOCAL]: 0.4 } }, async (lsp) => {
    const chat = chatOf('Why?');
    const { answer } = answered(await lsp.request('costAwareRouter/chat', chat));
    assert.equal(answer.modelId, BIG);
    assert.deepEqual(textsOf(lsp, chat.requestId), ['the ', 'true ', 'answer']);
    const ask = askOf('Why?', { standing: true, useCache: false });
    await lsp.request('costAwareRouter/answer', ask);
    assert.equal(textsOf(lsp, ask.requestId).join(''), 'the true answer');
  });
});

test('a local draft that passes comes whole, once', async () => {
  await withLsp({ answers: { [LOCAL]: [says('It is so.', { sure: true })] } }, async (lsp) => {
    const chat = chatOf('Why?');
    const { answer } = answered(await lsp.request('costAwareRouter/chat', chat));
    assert.equal(answer.served, 'local');
    assert.deepEqual(textsOf(lsp, chat.requestId), ['It is so.']);
  });
});

test('tools go to the tier that can call them, and their results come back to it', async () => {
  const answers = {
    [BIG]: [says('', { finish: 'tool-calls', toolCalls: [CALL] }), says('It has one line.')],
  };
  await withLsp({ answers }, async (lsp) => {
    const asked: MessageWire[] = [
      { role: 'instructions', text: 'You are an agent.' },
      { role: 'user', text: 'How long is a.ts?' },
    ];
    const first = await lsp.request(
      'costAwareRouter/chat',
      chatOf(asked, { tools: [READ_FILE], mustCall: true }),
    );
    assert.deepEqual(answered(first).toolCalls, [CALL]);
    const [call] = lsp.scripted.calls;
    assert.equal(call?.modelId, BIG);
    assert.equal(call?.request.system, 'You are an agent.');
    assert.deepEqual(call?.request.tools, { tools: [READ_FILE], choice: 'required' });
    // All that the model can write: an agent writes whole files.
    assert.equal(call?.request.maxOutputTokens, 10_000);

    const second = await lsp.request(
      'costAwareRouter/chat',
      chatOf(
        [
          ...asked,
          { role: 'assistant', text: '', toolCalls: [CALL] },
          { role: 'tool', text: 'one line', toolCallId: 'call_1' },
        ],
        { tools: [READ_FILE] },
      ),
    );
    assert.equal(answered(second).answer.text, 'It has one line.');
    assert.deepEqual(lsp.scripted.calls.at(-1)?.request.turns, [
      { role: 'user', text: 'How long is a.ts?' },
      { role: 'assistant', text: '', toolCalls: [CALL] },
      { role: 'tool', text: 'one line', toolCallId: 'call_1' },
    ]);
  });
});

test('a model that is named answers; one that is not there is refused in words', async () => {
  await withLsp({}, async (lsp) => {
    const named = await lsp.request('costAwareRouter/chat', chatOf('Why?', { modelId: MINI }));
    assert.equal(answered(named).answer.modelId, MINI);
    const unknown = await lsp.request('costAwareRouter/chat', chatOf('Why?', { modelId: 'gone' }));
    assert.partialDeepStrictEqual(unknown, {
      kind: 'failed',
      code: 'unknown_model',
      nextStep: 'choose_model',
    });
  });
});

for (const { name, messages, says: expected } of [
  {
    name: 'no question',
    messages: [{ role: 'assistant', text: 'Hello.' }],
    says: /expected a user message/,
  },
  {
    name: 'a result without its call',
    messages: [
      { role: 'user', text: 'Go on.' },
      { role: 'tool', text: 'done', toolCallId: 'none' },
    ],
    says: /expected every result of a tool/,
  },
] satisfies { name: string; messages: MessageWire[]; says: RegExp }[]) {
  test(`a conversation with ${name} is refused, and asks no model`, async () => {
    await withLsp({}, async (lsp) => {
      const result = await lsp.request('costAwareRouter/chat', chatOf(messages));
      assert.equal(result.kind, 'failed');
      assert.match(result.kind === 'failed' ? result.message : '', expected);
      assert.equal(lsp.scripted.calls.length, 0);
    });
  });
}

test('tools in an untrusted workspace are refused: no model that stays here can call them', async () => {
  await withLsp({}, async (lsp) => {
    const chat = chatOf('Tidy up.', { tools: [READ_FILE], trusted: false });
    const result = await lsp.request('costAwareRouter/chat', chat);
    assert.equal(result.kind, 'failed');
    assert.equal(lsp.scripted.calls.length, 0);
  });
});

test('a budget that is used up ends a chat as a failure with a way out, and nothing is sent', async () => {
  const script: Script = { scores: HARD, spentNanoUsd: 20e9, settings: { atLimit: 'ask' } };
  await withLsp(script, async (lsp) => {
    const chat = chatOf('Plan it.', { tools: [READ_FILE] });
    const result = await lsp.request('costAwareRouter/chat', chat);
    assert.partialDeepStrictEqual(result, {
      kind: 'failed',
      code: 'budget_exhausted',
      nextStep: 'raise_budget',
    });
    assert.equal(lsp.scripted.calls.length, 0);
  });
});

test('an answer that breaks off after its first words fails, for they can not be taken back', async () => {
  const cut = fails(
    { code: 'stream_cut', message: 'cut', retryable: false, billing: 'unknown' },
    'The first ',
  );
  const answers = { [BIG]: [cut], [MINI]: [says('Another answer.')] };
  await withLsp({ scores: HARD, answers }, async (lsp) => {
    const chat = chatOf('Plan it.');
    const result = await lsp.request('costAwareRouter/chat', chat);
    assert.equal(result.kind === 'failed' && result.code, 'stream_cut');
    assert.deepEqual(textsOf(lsp, chat.requestId), ['The first ']);
  });
});

test('a cancel ends a chat at once, as a value, and the model with it', async () => {
  const never = endless();
  await withLsp({ answers: { [BIG]: [never.answer] } }, async (lsp) => {
    const source = new CancellationTokenSource();
    const running = lsp.client.sendRequest<ChatResultWire>(
      'costAwareRouter/chat',
      chatOf('Go on for ever', { modelId: BIG }),
      source.token,
    );
    await never.started;
    source.cancel();
    const result = await running;
    assert.equal(result.kind === 'failed' && result.code, 'cancelled');
    await never.stopped;
  });
});

test('tokens are counted by the tokenizer', async () => {
  await withLsp({}, async (lsp) => {
    const { tokens } = await lsp.request('costAwareRouter/countTokens', { text: '12345678' });
    assert.equal(tokens, 2);
  });
});

test('the tools for agents say what the same tools say over MCP, for this window’s trust', async () => {
  await withLsp({ scores: HARD, spentNanoUsd: 3e9 }, async (lsp) => {
    const asker = { sessionId: 'session', trusted: true };
    const estimate = async (input: unknown, trusted = true) => {
      const params = { ...asker, trusted, name: 'estimate_cost' as const, input };
      return await lsp.request('costAwareRouter/agentTool', params);
    };
    const told = await estimate({ prompt: 'Plan the migration.' });
    const cost = JSON.parse(told.kind === 'done' ? told.json : '');
    assert.equal(cost.chosen_model, BIG);
    assert.ok(cost.cost_bound_usd >= cost.estimated_cost_usd && cost.estimated_cost_usd > 0);
    const local = await estimate({ prompt: 'Plan the migration.' }, false);
    assert.equal(JSON.parse(local.kind === 'done' ? local.json : '').chosen_model, LOCAL);
    const wrong = await estimate({ question: 'Plan the migration.' });
    assert.match(wrong.kind === 'failed' ? wrong.message : '', /prompt/);
    const params = { ...asker, name: 'get_budget' as const, input: {} };
    const budget = await lsp.request('costAwareRouter/agentTool', params);
    assert.partialDeepStrictEqual(JSON.parse(budget.kind === 'done' ? budget.json : ''), {
      limit_usd: 20,
      spent_usd: 3,
      remaining_usd: 17,
    });
    assert.equal(lsp.scripted.calls.length, 0);
  });
});
